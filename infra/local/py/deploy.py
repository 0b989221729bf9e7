"""Deploys one CloudFormation template: code and template into a bucket, then CreateStack, then the wait.

    deploy.py --stack NAME --template FILE --bucket NAME [--code KEY=FILE=NAME-IN-ZIP] [--parameter KEY=VALUE]

The template goes in as it is. Prints the stack's outputs as one JSON line; on failure one line per resource that failed,
and exit code 1. Endpoint, region and credentials come from the environment, as for every AWS client.
"""

import argparse
import io
import json
import os
import sys
import time
import zipfile

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

DEADLINE_SECONDS = 120
# The template's key in the bucket.
TEMPLATE = "template.json"


def main():
    arguments = parse()
    session = botocore.session.get_session()
    try:
        template_url = upload(session.create_client("s3", config=Config(s3={"addressing_style": "path"})), arguments)
        outputs = create(session.create_client("cloudformation"), template_url, arguments)
    except (BotoCoreError, ClientError, OSError) as error:
        sys.exit(f"{arguments.stack}: {error}")
    print(json.dumps(outputs, sort_keys=True))


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stack", required=True)
    parser.add_argument("--template", required=True)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--code", action="append", default=[])
    parser.add_argument("--parameter", action="append", default=[])
    return parser.parse_args()


def upload(s3, arguments):
    s3.create_bucket(Bucket=arguments.bucket)
    for code in arguments.code:
        key, path, name = code.split("=")
        s3.put_object(Bucket=arguments.bucket, Key=key, Body=zipped(path, name))
    # As the CDK CLI does: a request holds templates of up to 51,200 bytes, a bucket those of up to 1 MB.
    with open(arguments.template, "rb") as file:
        s3.put_object(Bucket=arguments.bucket, Key=TEMPLATE, Body=file.read())
    return f"{s3.meta.endpoint_url}/{arguments.bucket}/{TEMPLATE}"


def zipped(path, name):
    """A zip of one executable file. Stored, not deflated: it travels a loopback, and a debug binary is large."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o100755 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive, open(path, "rb") as file:
        archive.writestr(entry, file.read())
    return buffer.getvalue()


def create(cloudformation, template_url, arguments):
    parameters = [dict(zip(("ParameterKey", "ParameterValue"), p.split("=", 1))) for p in arguments.parameter]
    cloudformation.create_stack(
        StackName=arguments.stack,
        TemplateURL=template_url,
        Parameters=parameters,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        OnFailure="DO_NOTHING",
    )
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        stack = cloudformation.describe_stacks(StackName=arguments.stack)["Stacks"][0]
        status = stack["StackStatus"]
        if status == "CREATE_COMPLETE":
            return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        if status != "CREATE_IN_PROGRESS":
            failed(cloudformation, arguments.stack, status, stack.get("StackStatusReason", "no reason given"))
        if time.monotonic() > deadline:
            sys.exit(f"{arguments.stack}: still {status} after {DEADLINE_SECONDS} s")
        time.sleep(0.05)


def failed(cloudformation, stack, status, reason):
    lines = [f"{stack}: {status}: {reason}"]
    for event in cloudformation.describe_stack_events(StackName=stack)["StackEvents"]:
        if event["ResourceStatus"].endswith("FAILED") and event["LogicalResourceId"] != stack:
            lines.append(f"  {event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', '')}")
    sys.exit("\n".join(lines))


if __name__ == "__main__":
    # Nothing of this machine's AWS set-up may leak in.
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    main()
