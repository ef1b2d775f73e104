"""Who we are, by what the API server says."""

from __future__ import annotations

from cbctl.clients.kubernetes.api import Api

_PATH = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


def user_name(api: Api) -> str:
    answer = api.transport.call("POST", _PATH, None, _REVIEW)
    return str(answer["status"]["userInfo"]["username"])
