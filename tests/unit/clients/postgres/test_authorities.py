"""The authorities of RDS: each is its own, of a region, and long valid."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
from cryptography import x509

import cbctl.clients.postgres.connect as connect

FILE = Path(connect.__file__).with_name("rds.pem")
YOUNGER = {"ap-east-2", "ap-southeast-6", "ap-southeast-7", "mx-central-1"}
"""Regions that opened after the file was made."""


def test_each_region_has_three() -> None:
    regions: Counter[str] = Counter()
    for one in x509.load_pem_x509_certificates(FILE.read_bytes()):
        one.verify_directly_issued_by(one)
        assert one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert one.not_valid_after_utc > datetime.now(UTC) + timedelta(days=365)
        found = re.search(
            r"CN=Amazon RDS (\S+) Root CA (RSA2048|RSA4096|ECC384) G1", one.subject.rfc4514_string()
        )
        assert found
        regions[found[1]] += 1
    assert set(regions.values()) == {3}
    known = set(boto3.Session().get_available_regions("rds"))
    assert known - set(regions) == YOUNGER
