"""How much the public form takes in one hour: rows with an atomic increment, which all processes share.

Whom an address belongs to plays no part here, so that a refusal says nothing about anybody.
"""

import hashlib
import hmac
import time
from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.db import connection, models

from memoryportal.base.secrets_file import derived_key

HOUR = 3600
IPV6_NETWORK = 64  # bits: one household holds all addresses of such a network
EVERYBODY = "everybody"
_TAKE = """
INSERT INTO erasure_requestquota AS q (hour, holder, count) VALUES (%s, %s, 1)
ON CONFLICT (hour, holder) DO UPDATE SET count = q.count + 1 RETURNING count
"""


class RequestQuota(models.Model):
    """How often something was done in one hour since 1970. `holder` is a keyed digest: no address lies here."""

    hour = models.PositiveIntegerField()
    holder = models.CharField(max_length=64)
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["hour", "holder"], name="one_request_quota_per_hour_and_holder")]

    def __str__(self) -> str:
        return f"quota of hour {self.hour}"


def seconds_to_wait(network: str) -> int:
    """Count one request from a network address. 0: it may be filed; else the seconds until the next one may.

    What one network sends in vain does not count against everybody.
    """
    full = _take(f"network:{_network_of(network)}") > settings.REQUESTS_PER_NETWORK
    full = full or _take(EVERYBODY) > settings.REQUESTS_PER_HOUR
    return HOUR - int(time.time()) % HOUR if full else 0


def is_first(what: str) -> bool:
    """Whether this has not been done before in this hour; counts it. Inside a transaction it is undone with it."""
    return _take(what) == 1


def forget() -> int:
    """Remove what belongs to hours that are over; how many rows."""
    return RequestQuota.objects.filter(hour__lt=int(time.time()) // HOUR).delete()[0]


def _take(holder: str) -> int:
    digest = hmac.new(derived_key("request-quotas"), holder.encode(), hashlib.sha256).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [int(time.time()) // HOUR, digest])
        return int(cursor.fetchone()[0])


def _network_of(address: str) -> str:
    """An IPv4 address as it is, the network of an IPv6 address; whatever else there is counts as one."""
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(int(found) >> (128 - IPV6_NETWORK))
    return str(found)
