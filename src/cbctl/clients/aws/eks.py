"""A token for an EKS cluster, as `aws eks get-token` prints it: no aws binary is needed.

Source: aws-iam-authenticator, "API Authorization from Outside a Cluster": a presigned request to
STS GetCallerIdentity with the header x-k8s-aws-id, valid for 60 s at most as a URL, 15 min as a
token.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cbctl.clients.aws.client import asked
from cbctl.errors import CbctlError, Exit

_HEADER = "x-k8s-aws-id"
_PREFIX = "k8s-aws-v1."
_URL_SECONDS = 60


@dataclass(frozen=True)
class Wanted:
    """What the command line of a kubeconfig says. None: as the AWS configuration has it."""

    cluster: str
    region: str | None = None
    profile: str | None = None
    role: str | None = None


def wanted(command: str, arguments: Sequence[str], environ: Mapping[str, str]) -> Wanted | None:
    """What `aws eks get-token …` asks for; None for any other command."""
    words = list(arguments)
    if command.rpartition("/")[2] != "aws":
        return None
    options: dict[str, str] = {}
    plain: list[str] = []
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if not word.startswith("--"):
            plain.append(word)
        elif equals:
            options[name] = value
        elif words:
            options[name] = words.pop(0)
    cluster = options.get("--cluster-name") or options.get("--cluster-id")
    if plain != ["eks", "get-token"] or not cluster:
        return None
    return Wanted(
        cluster,
        options.get("--region") or environ.get("AWS_REGION"),
        options.get("--profile") or environ.get("AWS_PROFILE"),
        options.get("--role-arn"),
    )


def token(asked_for: Wanted) -> str:
    """Raises CbctlError (3) when there are no credentials."""
    import boto3
    from botocore.signers import RequestSigner

    def sign() -> str:
        session: Any = boto3.Session(profile_name=asked_for.profile, region_name=asked_for.region)
        region = session.region_name or "us-east-1"
        if asked_for.role:
            session = _as(session, asked_for.role, region)
        credentials = session.get_credentials()
        if credentials is None:
            raise CbctlError(
                "there are no AWS credentials",
                exit=Exit.CREDENTIALS,
                where=f"EKS cluster {asked_for.cluster}",
                fix="sign in to AWS: aws sso login, or AWS_PROFILE",
            )
        sts = session.client("sts", region_name=region)
        signer = RequestSigner(
            sts.meta.service_model.service_id, region, "sts", "v4", credentials, session.events
        )
        request = {
            "method": "GET",
            "url": f"https://sts.{region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
            "body": {},
            "headers": {_HEADER: asked_for.cluster},
            "context": {},
        }
        return str(
            signer.generate_presigned_url(
                request, region_name=region, expires_in=_URL_SECONDS, operation_name=""
            )
        )

    url: str = asked("sts", sign)
    return _PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def _as(session: Any, role: str, region: str) -> Any:
    import boto3

    answer = session.client("sts", region_name=region).assume_role(
        RoleArn=role, RoleSessionName="cbctl"
    )
    given = answer["Credentials"]
    return boto3.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        region_name=region,
    )
