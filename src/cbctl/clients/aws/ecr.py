"""The registry of an AWS account: signing in, and its repositories.

Source: Amazon ECR API Reference (GetAuthorizationToken, DescribeRepositories, CreateRepository).
"""

from __future__ import annotations

import base64
import re
from typing import Any

from cbctl.clients.aws.account import account_id
from cbctl.clients.aws.client import asked, client
from cbctl.config.types import Secret
from cbctl.errors import CbctlError, Exit

_HOST = re.compile(r"(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_BESIDE = {"filterType": "WILDCARD", "filter": "sha256-*"}
"""Tags of what belongs to an image: a second signature is added under the same one."""


class Ecr:
    def __init__(self, account: str, region: str) -> None:
        self._account = account
        self._ecr = client("ecr", region)

    @classmethod
    def of(cls, registry: str) -> Ecr | None:
        """None for a registry that is no ECR."""
        found = _HOST.fullmatch(registry)
        return cls(*found.groups()) if found else None

    def login(self) -> tuple[str, Secret]:
        """User and a password for twelve hours."""
        answer = asked("ecr", self._ecr.get_authorization_token)
        token = answer["authorizationData"][0]["authorizationToken"]
        user, _, password = base64.b64decode(token).decode().partition(":")
        return user, Secret(password)

    def has(self, repository: str) -> bool:
        def look() -> Any:
            try:
                return self._ecr.describe_repositories(
                    registryId=self._account, repositoryNames=[repository]
                )
            except self._ecr.exceptions.RepositoryNotFoundException:
                return None

        return asked("ecr", look) is not None

    def create(self, repository: str) -> None:
        """Tags of images in it never change, and what is pushed is looked through."""

        def make() -> Any:
            try:
                return self._ecr.create_repository(
                    registryId=self._account,
                    repositoryName=repository,
                    imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
                    imageTagMutabilityExclusionFilters=[_BESIDE],
                    imageScanningConfiguration={"scanOnPush": True},
                    encryptionConfiguration={"encryptionType": "AES256"},
                )
            except self._ecr.exceptions.RepositoryAlreadyExistsException:
                return None

        asked("ecr", make)

    def require_account(self) -> None:
        """Raises CbctlError (7) when we are signed in to another account."""
        found = account_id()
        if found != self._account:
            raise CbctlError(
                f"we are signed in to the AWS account {found}, and the registry is that of"
                f" {self._account}",
                exit=Exit.REFUSED,
                fix="choose the profile of that account (AWS_PROFILE)",
            )
