"""The names that steps, clients and the local platform import from the configuration."""

from cbctl.config.images import Image, Signed
from cbctl.config.jobs import Jobs
from cbctl.config.kubernetes import Cluster, Kubernetes
from cbctl.config.reference import Reference, Secret, as_text, host_only
from cbctl.config.settings import (
    Api,
    Argument,
    Cache,
    Call,
    Chain,
    Database,
    Environment,
    Identity,
    Initialize,
    Migrations,
    Policy,
    Program,
    Settings,
    Value,
    Webhook,
    Window,
)
from cbctl.config.urls import expanded, is_loopback

__all__ = [
    "Api",
    "Argument",
    "Cache",
    "Call",
    "Chain",
    "Cluster",
    "Database",
    "Environment",
    "Identity",
    "Image",
    "Initialize",
    "Jobs",
    "Kubernetes",
    "Migrations",
    "Policy",
    "Program",
    "Reference",
    "Secret",
    "Settings",
    "Signed",
    "Value",
    "Webhook",
    "Window",
    "as_text",
    "expanded",
    "host_only",
    "is_loopback",
]
