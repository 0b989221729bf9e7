"""The deployed roles under the emulator's IAM: what infra/rights.json says they may is allowed, what it says they may not is denied.

Twice: each right is decided by the emulator's evaluator over the policies as CloudFormation deployed them, with the context that AWS
gives; and each call of a service that the emulator has is made, signed with the role's credentials, against an emulator that enforces.
Who may take the roles is not asked here: the emulator lets anybody take what is trusted to a service (the template's tests look at that).
"""

import json
import os
import pathlib
import re

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

RIGHTS = pathlib.Path(__file__).resolve().parent.parent / "infra/rights.json"
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException", "ForbiddenException", "UnauthorizedOperation"}

# Calls that the emulator (1.5.33) denies although IAM allows them; the evaluator above decides them with the context that is missing.
# One that it does allow some day is reported, so that this list stays true.
FALSE_DENIALS = {
    "ecs:RunTask": "it gives no ecs:cluster, and takes the cluster for the resource instead of the task definition",
    "ecs:StopTask": "it gives no ecs:cluster, and takes the cluster for the resource instead of the task",
    "ecs:DescribeTasks": "it gives no ecs:cluster, and takes the cluster for the resource instead of the task",
    "ecs:ListTasks": "it gives no ecs:cluster",
    "ecs:TagResource": "it gives no ecs:CreateAction",
    "dynamodb:DescribeStream": "it takes * for the resource of every call of a stream",
    "dynamodb:GetShardIterator": "it takes * for the resource of every call of a stream",
    "dynamodb:GetRecords": "it takes * for the resource of every call of a stream",
    "events:DescribeEventBus": "it takes the bus for a rule of that name",
    "logs:CreateLogStream": "its ARN of a log group does not end in :*",
    "logs:PutLogEvents": "its ARN of a log group does not end in :*",
}
# Actions that no call makes by itself, or whose service the emulator has not: for the evaluator alone.
NOT_CALLED = re.compile(r"iam:PassRole|kinesisvideo:.*|transcribe:.*")
# A connection that nobody has; an operation that the emulator has not, which it finds out after it has asked IAM.
PERMITTED = {"ReceiptHandleIsInvalid", "GoneException", "410", "InvalidAction"}


class Wrong(Exception):
    """What is wrong, in one line."""


def check(aws, names):
    """`names` fills the list; the roles' ARNs are among them."""
    rights = filled(json.loads(RIGHTS.read_text()), names)
    roles = {"controller": names["controllerRole"], "worker": names["taskRole"]}
    decided = called = 0
    for name, arn in roles.items():
        role = Role(aws, arn, names)
        wanted = [right for right in rights[name] if right.get("only") is None]
        decided += role.decide(wanted)
        called += role.call(wanted, name)
    unheard = expect_lost_statements_are_noticed(aws, roles, rights, names)
    print(f"deploy-check: {decided} decisions and {called} calls with the deployed roles are as infra/rights.json says; without any one of {unheard} statements they are not")


def policies(aws, arn):
    """Its own policies, by name. It has no others: nothing of AWS's is attached."""
    name = arn.rsplit("/")[-1]
    attached = aws.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    if attached:
        raise Wrong(f"{name} has {attached}")
    return {policy: aws.iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"] for policy in aws.iam.list_role_policies(RoleName=name)["PolicyNames"]}


def expect_lost_statements_are_noticed(aws, roles, rights, names):
    """A check that cannot fail proves nothing: without any one statement that the list needs, something must be denied."""
    count = 0
    for name, arn in roles.items():
        wanted = [right for right in rights[name] if right.get("only") is None]
        needed = {right["action"] for right in wanted}
        documents = list(policies(aws, arn).values())
        for document in documents:
            for lost in document["Statement"]:
                if not needed & set([lost["Action"]] if isinstance(lost["Action"], str) else lost["Action"]):
                    continue
                count += 1
                rest = [{**other, "Statement": [s for s in other["Statement"] if s is not lost]} for other in documents]
                if not Decision(rest, arn, names).faults(wanted):
                    raise Wrong(f"without {lost['Sid']} of {name} nothing is denied")
        # And once for real: the emulator itself must notice.
        lose_first_statement(aws, arn)
        try:
            Role(aws, arn, names).call(wanted, name)
        except Wrong:
            continue
        raise Wrong(f"the emulator enforces nothing: {name} lost a statement, and every call was allowed")
    return count


def lose_first_statement(aws, arn):
    name, documents = arn.rsplit("/")[-1], policies(aws, arn)
    for policy, document in documents.items():
        kept = [statement for statement in document["Statement"] if statement["Sid"] not in ("KeepRows", "KeepOwnRow")]
        aws.iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps({**document, "Statement": kept}))


class Decision:
    """The emulator's evaluator over policies."""

    def __init__(self, documents, arn, names):
        os.environ.setdefault("MINISTACK_ACCOUNT_ID", names["account"])
        from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

        self.context, self.evaluate = EvalContext, evaluate
        self.policies = [parse_policy_document(json.dumps(document)) for document in documents]
        self.arn, self.names = arn, names

    def allows(self, action, where):
        context = {key.lower(): value for key, value in where.get("context", {}).items()}
        asked = self.context(
            principal_arn=self.arn, principal_type="AssumedRole", principal_account=self.names["account"], action=action,
            resource_arn=where["resource"], region=self.names["region"], service_context=context,
        )
        return self.evaluate(asked, self.policies).decision == "Allow"

    def faults(self, rights):
        for right in rights:
            for where in right["may"]:
                if not self.allows(right["action"], where):
                    return [f"{right['action']} on {where} is denied"]
            for where in right["mayNot"]:
                if self.allows(right["action"], where):
                    return [f"{right['action']} on {where} is allowed"]
        return []


class Role:
    """Calls with a role's credentials."""

    def __init__(self, aws, arn, names):
        self.aws, self.arn, self.names = aws, arn, names
        given = aws.sts.assume_role(RoleArn=arn, RoleSessionName="deploy-check")["Credentials"]
        self.session = botocore.session.Session()
        self.session.set_credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        self.clients = {}

    def client(self, name, path="", tls=True):
        key = (name, path, tls)
        if key not in self.clients:
            config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}, parameter_validation=False)
            made = self.session.create_client(name, region_name=self.names["region"], endpoint_url=self.aws.url + path, config=config)
            if tls:
                # As whatever ends TLS before the emulator would say it; the queue and the bucket take nothing else.
                made.meta.events.register("before-sign", lambda request, **_: request.headers.add_header("X-Forwarded-Proto", "https"))
            self.clients[key] = made
        return self.clients[key]

    def decide(self, rights):
        if faults := Decision(policies(self.aws, self.arn).values(), self.arn, self.names).faults(rights):
            raise Wrong(f"{self.arn}: {faults[0]}")
        return sum(len(right["may"]) + len(right["mayNot"]) for right in rights)

    def call(self, rights, name):
        """Makes every call, and says how many; all that is wrong is told at once."""
        self.faults, count = [], 0
        for right in (right for right in rights if not NOT_CALLED.fullmatch(right["action"])):
            for where, allowed in [*((w, True) for w in right["may"]), *((w, False) for w in right["mayNot"])]:
                self.expect(right["action"], lambda: CALLS[right["action"]](self, where), allowed and right["action"] not in FALSE_DENIALS, where)
                count += 1
        for what, call, allowed in BEYOND[name]:
            self.expect(what, lambda: call(self), allowed, {})
            count += 1
        if self.faults:
            raise Wrong(f"{self.arn.rsplit('/')[-1]}: {'; '.join(self.faults)}")
        return count

    def expect(self, action, call, allowed, where):
        try:
            call()
            code = None
        except ClientError as error:
            code = error.response["Error"]["Code"]
            # Anything else but a denial, or what comes after a permission, is a fault of the check.
            if code not in DENIED and code not in PERMITTED:
                self.faults.append(f"{action} on {where}: {error}")
                return
        if allowed and code in DENIED:
            self.faults.append(f"may not {action} on {where}")
        if not allowed and code not in DENIED:
            note = f"; is it still true that {FALSE_DENIALS[action]}?" if action in FALSE_DENIALS else ""
            self.faults.append(f"may {action} on {where}{note}")


def filled(value, names):
    """Every {name} in it replaced."""
    return json.loads(re.sub(r"\{(\w+)\}", lambda found: names[found.group(1)], json.dumps(value)))


def table(where):
    return where["resource"].split(":table/")[1].split("/")[0]


def key(where):
    keys = {"Sessions": ["sessionId"], "SessionWorkers": ["sessionId", "record"], "Connections": ["connectionId"]}
    return {name: {"S": "nobody"} for name in keys[table(where).split("-")[0]]}


def query(role, where):
    index = where["resource"].partition("/index/")[2]
    by = "shard" if index == "byShard" else "connectionId" if table(where).startswith("Connections") and not index else "sessionId"
    role.client("dynamodb").query(
        TableName=table(where), **({"IndexName": index} if index else {}), KeyConditionExpression="#k = :k",
        ExpressionAttributeNames={"#k": by}, ExpressionAttributeValues={":k": {"S": "nobody"}},
    )


def iterator(role, where):
    """Of the stream in question; where the role may not describe it, of nothing that exists."""
    streams = role.client("dynamodbstreams")
    shard = streams.describe_stream(StreamArn=where["resource"])["StreamDescription"]["Shards"][0]["ShardId"]
    return streams.get_shard_iterator(StreamArn=where["resource"], ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]


def logs(where):
    group, _, stream = where["resource"].partition(":log-group:")[2].partition(":log-stream:")
    return {"logGroupName": group, "logStreamName": stream}


def post(role, where):
    api, stage, method, _, connection = where["resource"].rsplit(":", 1)[1].split("/")
    client = role.client("apigatewaymanagementapi", f"/_aws/execute-api/{api}/{stage}")
    client.delete_connection(ConnectionId=connection) if method == "DELETE" else client.post_to_connection(ConnectionId=connection, Data=b"{}")


def cluster(where):
    return where.get("context", {}).get("ecs:cluster", "default")


def queue(role, where):
    return f"{role.aws.url}/{role.names['account']}/{where['resource'].rsplit(':', 1)[-1]}"


def last(where):
    return where["resource"].rsplit("/", 1)[-1]


CALLS = {
    "dynamodb:GetItem": lambda role, where: role.client("dynamodb").get_item(TableName=table(where), Key=key(where)),
    "dynamodb:BatchGetItem": lambda role, where: role.client("dynamodb").batch_get_item(RequestItems={table(where): {"Keys": [key(where)]}}),
    "dynamodb:Scan": lambda role, where: role.client("dynamodb").scan(TableName=table(where)),
    "dynamodb:PutItem": lambda role, where: role.client("dynamodb").put_item(TableName=table(where), Item=key(where)),
    "dynamodb:UpdateItem": lambda role, where: role.client("dynamodb").update_item(TableName=table(where), Key=key(where)),
    "dynamodb:DeleteItem": lambda role, where: role.client("dynamodb").delete_item(TableName=table(where), Key=key(where)),
    "dynamodb:Query": query,
    "dynamodb:DescribeStream": lambda role, where: role.client("dynamodbstreams").describe_stream(StreamArn=where["resource"]),
    "dynamodb:GetShardIterator": iterator,
    "dynamodb:GetRecords": lambda role, where: role.client("dynamodbstreams").get_records(ShardIterator=iterator(role, where)),
    "ecs:RunTask": lambda role, where: role.client("ecs").run_task(cluster=cluster(where), taskDefinition=last(where), launchType="FARGATE"),
    "ecs:StopTask": lambda role, where: role.client("ecs").stop_task(cluster=cluster(where), task=where["resource"]),
    "ecs:DescribeTasks": lambda role, where: role.client("ecs").describe_tasks(cluster=cluster(where), tasks=[where["resource"]]),
    "ecs:ListTasks": lambda role, where: role.client("ecs").list_tasks(cluster=cluster(where)),
    "ecs:TagResource": lambda role, where: role.client("ecs").tag_resource(resourceArn=where["resource"], tags=[{"key": "a", "value": "b"}]),
    "events:DescribeEventBus": lambda role, where: role.client("events").describe_event_bus(Name=last(where)),
    "events:PutEvents": lambda role, where: role.client("events").put_events(
        Entries=[{"EventBusName": last(where), "Source": "session-workers", "DetailType": "Look", "Detail": "{}"}]
    ),
    "execute-api:ManageConnections": post,
    "logs:CreateLogStream": lambda role, where: role.client("logs").create_log_stream(**logs(where)),
    "logs:PutLogEvents": lambda role, where: role.client("logs").put_log_events(**logs(where), logEvents=[{"timestamp": 1_800_000_000_000, "message": "x"}]),
    "sqs:SendMessage": lambda role, where: role.client("sqs").send_message(QueueUrl=queue(role, where), MessageBody="{}", DelaySeconds=900),
    "sqs:ReceiveMessage": lambda role, where: role.client("sqs").receive_message(QueueUrl=queue(role, where)),
    "sqs:DeleteMessage": lambda role, where: role.client("sqs").delete_message(QueueUrl=queue(role, where), ReceiptHandle="none"),
    "sqs:GetQueueAttributes": lambda role, where: role.client("sqs").get_queue_attributes(QueueUrl=queue(role, where), AttributeNames=["QueueArn"]),
    "translate:TranslateText": lambda role, where: role.client("translate").translate_text(Text="a", SourceLanguageCode="en", TargetLanguageCode="es"),
}

# What is not of the list: the queue and the bucket of what was given up, plain HTTP, and what nobody ever meant to allow.
COMMON = [
    ("dynamodb:DeleteTable", lambda role: role.client("dynamodb").delete_table(TableName="SessionWorkers-local"), False),
    ("dynamodb:BatchWriteItem", lambda role: role.client("dynamodb").batch_write_item(RequestItems={"Sessions-local": [{"DeleteRequest": {"Key": {"sessionId": {"S": "x"}}}}]}), False),
    ("iam:CreateUser", lambda role: role.client("iam").create_user(UserName="mallory"), False),
    ("sts:AssumeRole", lambda role: role.client("sts").assume_role(RoleArn=role.names["executionRole"], RoleSessionName="mallory"), False),
    ("lambda:UpdateFunctionConfiguration", lambda role: role.client("lambda").update_function_configuration(FunctionName="session-controller-local", Timeout=3), False),
    ("s3:GetObject", lambda role: role.client("s3").get_object(Bucket=role.names["discardedBucket"], Key="aws/lambda/look"), False),
    ("sns:Publish", lambda role: role.client("sns").publish(TopicArn=role.names["pageTopic"], Message="x"), False),
    ("sqs:ReceiveMessage", lambda role: role.client("sqs").receive_message(QueueUrl=role.names["undelivered"]), False),
]
BEYOND = {
    "controller": [
        *COMMON,
        ("sqs:SendMessage", lambda role: role.client("sqs").send_message(QueueUrl=role.names["undelivered"], MessageBody="x"), True),
        ("sqs:SendMessage without TLS", lambda role: role.client("sqs", tls=False).send_message(QueueUrl=role.names["undelivered"], MessageBody="x"), False),
        ("s3:PutObject", lambda role: role.client("s3").put_object(Bucket=role.names["discardedBucket"], Key="aws/lambda/look", Body=b"x"), True),
        ("s3:PutObject without TLS", lambda role: role.client("s3", tls=False).put_object(Bucket=role.names["discardedBucket"], Key="aws/lambda/look", Body=b"x"), False),
        ("s3:PutObject elsewhere", lambda role: role.client("s3").put_object(Bucket=role.names["discardedBucket"], Key="elsewhere", Body=b"x"), False),
        ("s3:DeleteObject", lambda role: role.client("s3").delete_object(Bucket=role.names["discardedBucket"], Key="aws/lambda/look"), False),
        ("translate:TranslateText", lambda role: CALLS["translate:TranslateText"](role, {}), False),
    ],
    "worker": [
        *COMMON,
        ("sqs:SendMessage", lambda role: role.client("sqs").send_message(QueueUrl=role.names["undelivered"], MessageBody="x"), False),
        ("s3:PutObject", lambda role: role.client("s3").put_object(Bucket=role.names["discardedBucket"], Key="aws/lambda/look", Body=b"x"), False),
        ("ecs:RunTask", lambda role: role.client("ecs").run_task(cluster="session-workers-local", taskDefinition="session-worker-local"), False),
        ("ecs:StopTask", lambda role: role.client("ecs").stop_task(cluster="session-workers-local", task="0123456789abcdef0123456789abcdef"), False),
        ("events:PutEvents", lambda role: role.client("events").put_events(Entries=[{"EventBusName": "session-workers-local", "Source": "x", "DetailType": "x", "Detail": "{}"}]), False),
    ],
}
