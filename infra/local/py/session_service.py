"""The WebSocket side of the session service, as listeners see it: a Lambda function of the local stack.

Routes: `$connect` lets everybody in, and keeps where the session's speaker is (P4 of docs/adopting.md); `joinSession` writes the connection's row and answers `sessionJoined`;
`heartbeat` answers `heartbeatAck`; `$disconnect` deletes the row. Return bodies never reach a client, so every answer
is a PostToConnection.
"""

import json
import os
import time

# A connection's row lives three hours, as theirs does.
ROW_SECONDS = 3 * 3600
# Longest captionMode that is kept; the known ones are shorter.
MODE_LETTERS = 32

_clients = {}


def handler(event, _context):
    """What API Gateway calls."""
    return route(event, rows=_client("dynamodb"), post=lambda message: _post(event, message), now=time.time())


def route(event, rows, post, now):
    """One event: `rows` is a DynamoDB client, `post` answers this connection, `now` is in seconds."""
    context = event["requestContext"]
    connection = context["connectionId"]
    if context["eventType"] == "CONNECT":
        _name_speaker(event.get("queryStringParameters") or {}, connection, rows)
        return {"statusCode": 200}
    if context["eventType"] == "DISCONNECT":
        rows.delete_item(TableName=_table(), Key={"connectionId": {"S": connection}})
        return {"statusCode": 200}
    try:
        message = json.loads(event.get("body") or "{}")
    except ValueError:
        message = {}
    action = message.get("action") if isinstance(message, dict) else None
    if action == "joinSession":
        _join(message, connection, context, rows, post, now)
    elif action == "heartbeat":
        post({"type": "heartbeatAck", "timestamp": int(now * 1000)})
    else:
        post(_error("UNKNOWN_ACTION", f"no such action: {action}", now))
    return {"statusCode": 200}


def _name_speaker(query, connection, rows):
    """Keeps the connection of a client who is the session's own speaker; there is no Cognito here, so the token is the `sub`."""
    session, sub = query.get("sessionId"), query.get("token")
    if not session or not sub:
        return
    try:
        # The condition also keeps a ghost row from being made.
        rows.update_item(
            TableName=_sessions(),
            Key={"sessionId": {"S": session}},
            UpdateExpression="SET speakerConnectionId = :connection",
            ConditionExpression="speakerId = :sub",
            ExpressionAttributeValues={":connection": {"S": connection}, ":sub": {"S": sub}},
        )
    except Exception as error:  # whoever is not the speaker is let in as anybody is
        if getattr(error, "response", {}).get("Error", {}).get("Code") != "ConditionalCheckFailedException":
            raise


def _join(message, connection, context, rows, post, now):
    session, language = message.get("sessionId"), message.get("targetLanguage")
    if not isinstance(session, str) or not session:
        post(_error("INVALID_SESSION", "joinSession needs a sessionId", now))
        return
    if not isinstance(language, str) or len(language) != 2:
        post(_error("INVALID_LANGUAGE", "joinSession needs a targetLanguage of two letters", now))
        return
    key = {"connectionId": {"S": connection}}
    row = {
        **key,
        "sessionId": {"S": session},
        "role": {"S": "listener"},
        "targetLanguage": {"S": language},
        "connectedAt": {"N": str(int(now * 1000))},
        "ttl": {"N": str(int(now) + ROW_SECONDS)},
        "ipAddress": {"S": context.get("identity", {}).get("sourceIp", "127.0.0.1")},
    }
    # How settled a text must be before it is shown (P8); what the worker does not know it reads as nothing.
    mode = message.get("captionMode")
    if isinstance(mode, str) and mode:
        row["captionMode"] = {"S": mode[:MODE_LETTERS]}
    # Joining again is a change of language: theirs deletes the row and writes it anew, so it is gone for an instant.
    rows.delete_item(TableName=_table(), Key=key)
    rows.put_item(TableName=_table(), Item=row)
    post(
        {
            "type": "sessionJoined",
            "sessionId": session,
            "targetLanguage": language,
            "connectionId": connection,
            "timestamp": int(now * 1000),
        }
    )


def _error(code, message, now):
    return {"type": "error", "code": code, "message": message, "timestamp": int(now * 1000)}


def _post(event, message):
    from botocore.exceptions import ClientError

    context = event["requestContext"]
    # The path form: the host form needs a name server that knows *.localhost.
    endpoint = f"{os.environ['AWS_ENDPOINT_URL']}/_aws/execute-api/{context['apiId']}/{context['stage']}"
    try:
        _client("apigatewaymanagementapi", endpoint).post_to_connection(
            ConnectionId=context["connectionId"], Data=json.dumps(message).encode()
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "GoneException":
            raise


def _client(service, endpoint=None):
    # Imported late, so that the routes can be tested with nothing but Python.
    import botocore.session

    key = (service, endpoint)
    if key not in _clients:
        _clients[key] = botocore.session.get_session().create_client(service, endpoint_url=endpoint)
    return _clients[key]


def _table():
    return os.environ["CONNECTIONS_TABLE"]


def _sessions():
    return os.environ["SESSIONS_TABLE"]
