"""AWS by moto's server: the registry's sign-in and repositories, and tokens for EKS."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from cbctl.clients.aws import eks
from cbctl.clients.aws.ecr import Ecr
from cbctl.clients.images.credentials import login
from cbctl.clients.kubernetes.credentials import Credentials
from cbctl.clients.kubernetes.kubeconfig import load
from cbctl.errors import CbctlError, Exit

ACCOUNT = "123456789012"  # moto's
REGION = "us-east-1"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    made = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    made.start()
    host, port = made.get_host_and_port()
    yield f"http://{host}:{port}"
    made.stop()


@pytest.fixture(autouse=True)
def aws(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": "secret-of-a-test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


def test_repository() -> None:
    ecr = Ecr.of(HOST)
    assert ecr is not None
    ecr.require_account()
    assert not ecr.has("shop-api")
    ecr.create("shop-api")
    ecr.create("shop-api")
    assert ecr.has("shop-api")
    (found,) = boto3.client("ecr").describe_repositories()["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}


def test_a_tag_is_for_ever_but_for_signatures() -> None:
    ecr = Ecr.of(HOST)
    assert ecr is not None
    ecr.create("shop-tags")
    raw = boto3.client("ecr")

    def put(tag: str, size: int) -> None:
        layer = {"digest": f"sha256:{size:064x}", "size": size}
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": layer,
            "layers": [layer],
        }
        raw.put_image(repositoryName="shop-tags", imageTag=tag, imageManifest=json.dumps(manifest))

    for tag in ("v1", f"sha256-{'a' * 64}.sig"):
        put(tag, 1)
    with pytest.raises(ClientError, match="already exists"):
        put("v1", 2)
    put(f"sha256-{'a' * 64}.sig", 2)


def test_another_account() -> None:
    ecr = Ecr.of(HOST.replace(ACCOUNT, "210987654321"))
    assert ecr is not None
    with pytest.raises(CbctlError, match="signed in to the AWS account") as raised:
        ecr.require_account()
    assert raised.value.exit is Exit.REFUSED


def test_signed_in(tmp_path: Path) -> None:
    found = login(HOST, {"HOME": str(tmp_path)})
    assert found is not None
    assert found[0] == "AWS"
    assert found[1].reveal()
    assert login("registry.example", {"HOME": str(tmp_path)}) is None
    assert Ecr.of("registry.example") is None


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps those of the tests before
    with pytest.raises(CbctlError, match="AWS refuses") as raised:
        login(HOST, {"HOME": str(tmp_path)})
    assert raised.value.exit is Exit.CREDENTIALS
    with pytest.raises(CbctlError, match="no AWS credentials") as raised:
        eks.token(eks.Wanted("shop", REGION))
    assert raised.value.exit is Exit.CREDENTIALS


def test_the_token_of_an_eks_cluster() -> None:
    """As its authenticator takes it: a presigned GetCallerIdentity, bound to the cluster's name."""
    token = eks.token(eks.Wanted("shop", REGION))
    prefix, _, encoded = token.partition("k8s-aws-v1.")
    assert prefix == ""
    assert "=" not in encoded
    url = urlsplit(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert (url.scheme, url.hostname, url.path) == ("https", "sts.us-east-1.amazonaws.com", "/")
    assert query["Action"] == "GetCallerIdentity"
    assert query["X-Amz-SignedHeaders"] == "host;x-k8s-aws-id"
    assert int(query["X-Amz-Expires"]) <= 60
    assert query["X-Amz-Credential"].startswith("AKIATEST/")


def test_a_kubeconfig_that_asks_the_aws_program(tmp_path: Path) -> None:
    config = {
        "contexts": [{"name": "shop", "context": {"cluster": "shop", "user": "shop"}}],
        "clusters": [{"name": "shop", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [
            {
                "name": "shop",
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": "aws",
                        "args": ["--region", REGION, "eks", "get-token", "--cluster-name", "shop"],
                    }
                },
            }
        ],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    environ = {"KUBECONFIG": str(tmp_path / "config"), "PATH": "/nowhere"}
    token = Credentials(load("shop", environ)).token
    assert token is not None
    assert token.startswith("k8s-aws-v1.")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("eks get-token --cluster-name a", eks.Wanted("a")),
        ("--region r eks get-token --cluster-name=a --output json", eks.Wanted("a", "r")),
        ("eks get-token --cluster-name a --role-arn x", eks.Wanted("a", None, None, "x")),
        ("--profile p eks get-token --cluster-name a", eks.Wanted("a", None, "p")),
        ("eks get-token", None),
        ("sts get-caller-identity --cluster-name a", None),
    ],
)
def test_what_a_command_line_asks_for(words: str, wanted: eks.Wanted | None) -> None:
    assert eks.wanted("aws", words.split(), {}) == wanted
    assert eks.wanted("gke-gcloud-auth-plugin", words.split(), {}) is None
