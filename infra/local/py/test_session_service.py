"""The session service's handler, without API Gateway and DynamoDB: `python -m unittest discover infra/local/py`."""

import json
import os
import unittest

os.environ.setdefault("CONNECTIONS_TABLE", "Connections-test")
os.environ.setdefault("SESSIONS_TABLE", "Sessions-test")

import session_service  # noqa: E402

NOW = 1_700_000_000.5


class Rows:
    """A table of rows, and what was done to it."""

    def __init__(self):
        self.items, self.done = {}, []
        self.speakers = {"a-b-123": {"speakerId": "ann"}}

    def put_item(self, TableName, Item):
        self.done.append("put")
        self.items[Item["connectionId"]["S"]] = Item

    def delete_item(self, TableName, Key):
        self.done.append("delete")
        self.items.pop(Key["connectionId"]["S"], None)


    def update_item(self, TableName, Key, UpdateExpression, ConditionExpression, ExpressionAttributeValues):
        assert (TableName, ConditionExpression) == ("Sessions-test", "speakerId = :sub")
        row = self.speakers.get(Key["sessionId"]["S"], {})
        if row.get("speakerId") != ExpressionAttributeValues[":sub"]["S"]:
            raise Refused({"Error": {"Code": "ConditionalCheckFailedException"}})
        row["speakerConnectionId"] = ExpressionAttributeValues[":connection"]["S"]


class Refused(Exception):
    """As botocore's ClientError."""

    def __init__(self, response):
        super().__init__(response)
        self.response = response


class Listener(unittest.TestCase):
    def setUp(self):
        self.rows, self.posted = Rows(), []

    def send(self, kind, body=None, query=None):
        text = body if isinstance(body, str) else json.dumps(body)
        context = {"connectionId": "c=1", "eventType": kind, "identity": {"sourceIp": "127.0.0.1"}}
        event = {"requestContext": context, "body": text, "queryStringParameters": query}
        answer = session_service.route(event, self.rows, self.posted.append, NOW)
        self.assertEqual(answer["statusCode"], 200)

    def join(self, language):
        self.send("MESSAGE", {"action": "joinSession", "sessionId": "a-b-123", "targetLanguage": language})

    def test_connecting_writes_no_row(self):
        self.send("CONNECT")
        self.assertEqual((self.rows.items, self.posted), ({}, []))

    def test_the_sessions_own_speaker_is_kept_with_the_session(self):
        self.send("CONNECT", query={"sessionId": "a-b-123", "token": "ann"})
        self.assertEqual(self.rows.speakers["a-b-123"]["speakerConnectionId"], "c=1")
        self.assertEqual((self.rows.items, self.posted), ({}, []), "and is no listener")

    def test_whoever_is_not_the_speaker_is_let_in_and_kept_nowhere(self):
        for query in [{"sessionId": "a-b-123", "token": "bob"}, {"sessionId": "a-b-999", "token": "ann"}, {"sessionId": "a-b-123"}]:
            self.send("CONNECT", query=query)
        self.assertEqual(self.rows.speakers, {"a-b-123": {"speakerId": "ann"}})

    def test_joining_writes_the_row_and_is_answered(self):
        self.join("es")
        row = self.rows.items["c=1"]
        self.assertEqual(row["role"], {"S": "listener"})
        self.assertEqual(row["sessionId"], {"S": "a-b-123"})
        self.assertEqual(row["targetLanguage"], {"S": "es"})
        self.assertEqual(row["connectedAt"], {"N": "1700000000500"})
        self.assertEqual(row["ttl"], {"N": str(1_700_000_000 + 3 * 3600)})
        self.assertEqual(self.posted[0]["type"], "sessionJoined")

    def test_how_a_listener_wishes_to_read_is_kept_and_a_row_without_a_wish_has_none(self):
        self.join("es")
        self.assertNotIn("captionMode", self.rows.items["c=1"])
        for mode in ["stable", "x" * 99]:
            self.send("MESSAGE", {"action": "joinSession", "sessionId": "a-b-123", "targetLanguage": "es", "captionMode": mode})
            self.assertEqual(self.rows.items["c=1"]["captionMode"], {"S": mode[:32]})

    def test_a_change_of_language_deletes_the_row_before_it_is_written_anew(self):
        self.join("es")
        self.rows.done.clear()
        self.join("ca")
        self.assertEqual(self.rows.done, ["delete", "put"])
        self.assertEqual(self.rows.items["c=1"]["targetLanguage"], {"S": "ca"})

    def test_a_join_without_session_or_language_is_an_error_and_no_row(self):
        self.send("MESSAGE", {"action": "joinSession", "targetLanguage": "es"})
        self.send("MESSAGE", {"action": "joinSession", "sessionId": "a-b-123"})
        self.assertEqual([message["type"] for message in self.posted], ["error", "error"])
        self.assertEqual(self.rows.items, {})

    def test_a_heartbeat_is_acknowledged(self):
        self.send("MESSAGE", {"action": "heartbeat"})
        self.assertEqual(self.posted, [{"type": "heartbeatAck", "timestamp": 1700000000500}])

    def test_nonsense_is_answered_with_an_error(self):
        for body in ["not json", [1], {"action": "dance"}]:
            self.send("MESSAGE", body)
        self.assertEqual({message["code"] for message in self.posted}, {"UNKNOWN_ACTION"})

    def test_leaving_deletes_the_row(self):
        self.join("es")
        self.send("DISCONNECT")
        self.assertEqual(self.rows.items, {})


if __name__ == "__main__":
    unittest.main()
