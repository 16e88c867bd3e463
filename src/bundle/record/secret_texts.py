"""Finds the secret parts of a text by their form: in URLs, commands, headers, settings, scripts. Pure.

Rules:

1. What stands for a secret is none: templates, variables, references to stores, paths, words that ask for one.
2. Time is linear in the length of the text: no pattern has a quantifier inside another one, and each is bounded.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from itertools import islice, pairwise

from bundle.record.secret_names import Told, may_tell, told_by

Span = tuple[int, int]

_TOKENS = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])"
    r"|gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|gl[a-z]{2,6}-[\w-]{20,255}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,255}|xapp-[A-Za-z0-9-]{10,255}"
    r"|sk-[A-Za-z0-9_-]{20,255}|[sr]k_(?:live|test)_[A-Za-z0-9]{10,255}|whsec_[A-Za-z0-9+/=]{16,255}"
    r"|eyJ[\w-]{8,4000}\.[\w-]{8,4000}(?:\.[\w-]{0,4000})?"
    r"|pn[ubs]_[A-Za-z0-9]{16,255}|AIza[\w-]{30,60}|ya29\.[\w-]{20,1000}|SG\.[\w-]{16,64}\.[\w-]{16,64}"
    r"|npm_[A-Za-z0-9]{30,60}|pypi-[\w-]{32,1000}|dop_v1_[a-f0-9]{32,80}|hf_[A-Za-z0-9]{24,60}|dapi[a-f0-9]{32}"
    r"|hvs\.[\w-]{20,255}|dckr_pat_[\w-]{20,60}|AGE-SECRET-KEY-1[0-9A-Z]{20,80}|lin_api_[A-Za-z0-9]{20,60}"
    r"|ntn_[A-Za-z0-9]{20,80}|gsk_[A-Za-z0-9]{20,80}|shp(?:at|ss|ca)_[a-fA-F0-9]{20,64})"
)
_TOKEN_HINTS = (
    *("AKIA", "ASIA", "gh", "gl", "xox", "xapp-", "sk-", "k_live_", "k_test_", "whsec_", "eyJ", "pn", "AIza", "ya29."),
    *("SG.", "npm_", "pypi-", "dop_v1_", "hf_", "dapi", "hvs.", "dckr_pat_", "AGE-", "lin_api_", "ntn_", "gsk_", "shp"),
)
_HOOKS = re.compile(
    r"hooks\.slack\.com/(?:services|workflows|triggers)/([\w/-]{1,300})"
    r"|discord(?:app)?\.com/api/webhooks/([\w/-]{1,300})"
    r"|\.webhook\.office\.com/([\w/@-]{1,400})"
    r"|api\.telegram\.org/bot([\w:-]{20,100})"
)
_PEM = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_USER_PASSWORD = re.compile(r"://([^\s/?#:@\"'<>]{0,200}):([^\s/?#\"'<>]{1,500})@")
_USER_TOKEN = re.compile(r"(?<=://)([^\s/?#:@\"'<>{}]{12,500})@")
_SCHEME = re.compile(r"(?<!\w)(?:Bearer|Basic|Token)\s{1,3}[\"']?([A-Za-z0-9._~+/=-]{8,4000})")
_CURL_USER = re.compile(r"(?<!\S)(?:-u|--user|--proxy-user)[ =]{0,2}[\"']?([^\s:\"'=/]{1,100}):([^\s\"']{1,500})")
_SHORT_FLAG = re.compile(r"(?<=\s)-p(\s{0,2})[\"']?([^\s\"'-][^\s\"']{0,500})")
_MOST_BEHIND = 200
_SPOKEN = re.compile(
    r"\blogin\s{1,3}\S{1,100}\s{1,3}password\s{1,3}([^\s\"']{1,500})"
    r"|\bconfig(?:ure)?\s{1,3}set\s{1,3}\S{0,80}secret_access_key\s{1,3}([^\s\"']{1,500})"
)
_FLAG = re.compile(r"(?<![\w-])--?([A-Za-z][\w.-]{1,79}+)(?:=|\s{1,3})")
_ASSIGNED = re.compile(
    r"(?<![\w$])([A-Za-z_][\w.-]{0,79}+(?: [Kk]ey\b)?)[\])]?(\\{0,3}[\"']?\s{0,3}(?:=>|:=|=|:)\s{0,3})(?!=)"
)
_VALUE = re.compile(
    r"\\{0,3}\"([^\"\\\n]{1,4000})|\\{0,3}'([^'\\\n]{1,4000})"
    r"|(?:(?:Bearer|Basic|Token|Digest)\s{1,3})?([^\s\"'`;&|<>\\]{1,4000})"
)
_CONNECTION_KEYS = re.compile(r"(?<!\w)(?:Account|Shared|SharedAccess|Access)(?:Key|Signature)=([^\s;\"']{8,1000})")
_SIGNED_QUERY = re.compile(r"[?&](?:sig|signature|X-Amz-Signature|X-Goog-Signature|code|key|auth)=([\w%.+/=-]{8,1000})")

_TEMPLATE = re.compile(
    r"\$[A-Z_][A-Z0-9_]*+|\$[a-z_]++|\$\{[^}]*+\}|\$\([^)]*+\)|%\w++%|\{[\w.]*+\}|%\(\w++\)s|%s|:\w++"
    r"|<[^>]*+>|\[[^\]]*+\]"
)
_REFERENCE = re.compile(
    r"arn:|projects/|op://|vault:|ssm:|secretsmanager:|secret://|secret/data/|kv/|sm://|gcpsm:|awssm:|keyvault:"
    r"|azurekeyvault:|file:|env:|prefect\.|block:|os\.environ|os\.getenv|doppler:|ref\+|bitwarden:|@microsoft\.keyvault"
    r"|secret\.load|secrets\.|id=|type=|valuefrom|aws-sm:|env\[|env\.|process\.env",
    re.IGNORECASE,
)
_STAND_IN = re.compile(
    r"\*{3}.*|[*x•.?_-]++|(?:your|my|the|some|enter|insert|replace|use|put|set|see|ask)[-_ ].*"
    r"|.*[-_ ](?:here|placeholder)|(?:change|replace|fill|edit)[-_ ]?(?:me|this|it|in)\b.*"
    r"|(?:example|placeholder|redacted|masked|dummy|todo|fixme).*"
    r"|hidden|tbd|not[-_ ]?set|n/?a|none|null|nil|undefined|true|false|yes|no|on|off|required|optional|default"
    r"|auto|basic|bearer|digest|oauth2?|oidc|saml|iam|kerberos|ntlm|jwt|ldap|api[-_]?key|token|password|secret"
    r"|key|env|file|vault|keyring|enabled|disabled|public|private|string|str|int|integer|number|object|boolean"
    r"|any|plain|plaintext|password[-_]only|managed[-_]identity|service[-_]account|client[-_]credentials"
    r"|authorization[-_]code|header|cookie|prompt|interactive|environment|inherit|workload[-_]identity|rotated?"
    r"|expired|invalid|unknown|empty|missing|anonymous",
    re.IGNORECASE | re.DOTALL,
)
_WEAK = frozenset({"password", "secret", "token"})
"""What some people really have as a password: a stand-in in a text, a value of its own where it is all there is."""
_PATH = re.compile(
    r"(?:~|\.{1,2})?/[\w.@-]++(?:/[\w.@{}-]++)++|[A-Za-z]:\\.*|(?:~|\.{1,2})/.*"
    r"|[\w/-]++(?:\.[\w/-]++)*+\.?"
    r"(?<=\.pem|\.key|\.txt|\.crt|\.cer|\.pub|\.yml|\.env|\.p12|\.pfx|\.jks|json|yaml|toml)"
)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://")
_PROSE = re.compile(r"[^\W\d_][\w'-]*+[.,:;!?]?(?:\s++[(\"']?[\w'/-]++[.,:;!?)\"']*+){2,}+\s*+")
_NAME = re.compile(r"[A-Za-z_][\w.]*+")
_DENSE = re.compile(r"[A-Za-z0-9+/=_-]{24,600}")
_HEX = re.compile(r"[0-9a-f]{32,600}|[0-9A-F]{32,600}")
_MOST_PARTS = 2_000
"""Secrets that are told apart in one text; of one with more, nothing is shown."""
_SHORTEST_BY_CHANCE = 16
_FEWEST_CHANGES = 0.42
_FEWEST_BITS = 3.5


@functools.lru_cache(maxsize=4096)
def may_be_secret(text: str) -> bool:
    """Whether a text that is called a secret is one, and does not only stand for one."""
    text = text.strip()
    if not text or "{{" in text or text.lower() in _WEAK:
        return text.lower() in _WEAK
    short = text[:4000]
    stands_for = (_TEMPLATE, _STAND_IN, _PATH, _PROSE)
    return not (any(each.fullmatch(short) for each in stands_for) or _REFERENCE.match(short) or _URL.match(short))


def is_by_chance(text: str) -> bool:
    """Whether a text without spaces looks made by chance: its characters change their class more than words do."""
    if _HEX.fullmatch(text):
        return not text.isdigit()
    if len(text) < _SHORTEST_BY_CHANCE or not _DENSE.fullmatch(text.ljust(24, "=")):
        return False
    if not any(map(str.isdigit, text)) or not any(map(str.isalpha, text)):
        return False
    changes = sum(_class(one) != _class(other) for one, other in pairwise(text))
    return changes >= _FEWEST_CHANGES * (len(text) - 1) and _bits(text) >= _FEWEST_BITS


def is_key(text: str) -> bool:
    """Whether a text is nothing but a key, by its looks alone."""
    is_mixed = any(map(str.islower, text)) and any(map(str.isupper, text))
    return bool(_DENSE.fullmatch(text)) and is_mixed and is_by_chance(text)


def secret_parts(text: str) -> list[Span]:
    """The parts of a text that are secrets by their form, in order; none overlaps another."""
    found = sorted(islice((span for span in _parts(text) if span[1] > span[0]), _MOST_PARTS))
    if len(found) == _MOST_PARTS:
        return [(0, len(text))]
    spans: list[Span] = []
    for start, end in found:
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _parts(text: str) -> Iterator[Span]:
    if any(hint in text for hint in _TOKEN_HINTS):
        yield from (each.span() for each in _TOKENS.finditer(text))
    if "PRIVATE KEY" in text:
        yield from _keys(text)
    if "://" in text:
        yield from _in_urls(text)
        yield from (each.span(each.lastindex or 0) for each in _HOOKS.finditer(text))
    if "=" in text:
        yield from (each.span(1) for each in _CONNECTION_KEYS.finditer(text) if may_be_secret(each[1]))
    for each in _SCHEME.finditer(text):
        if not each[1].islower() and not each[1].istitle() and may_be_secret(each[1]):
            yield each.span(1)
    if " -" in text or text.startswith("-"):
        yield from _in_flags(text)
    if may_tell(text):
        yield from _named_flags(text)
        yield from (each.span(each.lastindex or 0) for each in _SPOKEN.finditer(text))
        yield from _assigned(text)


def _keys(text: str) -> Iterator[Span]:
    end = 0
    for begin in _PEM.finditer(text):
        if begin.start() >= end:
            closed = _PEM_END.search(text, begin.end())
            end = closed.end() if closed else len(text)
            yield begin.start(), end


def _in_urls(text: str) -> Iterator[Span]:
    for each in _USER_PASSWORD.finditer(text):
        is_example = each[2].lower() in {"password", "pass", "pw"} and each[1].lower() in {"user", "username"}
        if not is_example and not _TEMPLATE.fullmatch(each[2]) and not _is_masked(each[2]):
            yield each.span(2)
    yield from (each.span(1) for each in _USER_TOKEN.finditer(text) if is_by_chance(each[1]))
    yield from (each.span(1) for each in _SIGNED_QUERY.finditer(text) if _is_no_word(each[1]))


def _is_no_word(text: str) -> bool:
    """Whether a text has digits and letters, and is no path and no date."""
    return any(map(str.isdigit, text)) and any(map(str.isalpha, text)) and "/" not in text and may_be_secret(text)


def _is_masked(text: str) -> bool:
    return not text.strip("*x•")


def _in_flags(text: str) -> Iterator[Span]:
    for each in _CURL_USER.finditer(text):
        if not each[2].isdigit() and may_be_secret(each[2]):
            yield each.span(2)
    for each in _SHORT_FLAG.finditer(text):
        if _takes_password(text, each) and may_be_secret(each[2]):
            yield each.span(2)


def _named_flags(text: str) -> Iterator[Span]:
    end = 0
    for each in _FLAG.finditer(text):
        if each.start() >= end and told_by(each[1]) >= Told.VALUE and each[1] != "secret-id":
            value = _VALUE.match(text, each.end())
            if value is not None and not text.startswith("-", each.end()):
                end = value.end()
                if may_be_secret(str(value[value.lastindex or 0])):
                    yield value.span(value.lastindex or 0)


def _takes_password(text: str, flag: re.Match[str]) -> bool:
    command = text[max(0, flag.start() - _MOST_BEHIND) : flag.start()]
    for end in "\n|;&":
        command = command.rpartition(end)[2]
    if "sshpass" in command or "mongo" in command:
        return True
    return " login" in command if flag[1] else "mysql" in command


def _assigned(text: str) -> Iterator[Span]:
    """``NAME=value`` and ``name: value``, as settings, queries, headers, JSON and code have them."""
    end = 0
    for each in _ASSIGNED.finditer(text):
        if each.start() < end or told_by(each[1]) < Told.VALUE:
            continue
        value = _VALUE.match(text, each.end())
        if value is None:
            continue
        number = value.lastindex or 0
        end = value.end()
        part = str(value[number])
        if number == _BARE and not _is_literal(text, each, value):
            continue
        if may_be_secret(part):
            yield value.span(number)


_BARE = 3


def _is_literal(text: str, name: re.Match[str], value: re.Match[str]) -> bool:
    """Whether a value without quotes is one, and neither code nor a sentence."""
    part, after = str(value[_BARE]), text[value.end() : value.end() + 1]
    if part[0] in "([{$%" or "(" in part or "[" in part:
        return False
    bare = part.rstrip("),.:]}")
    is_name = bool(_NAME.fullmatch(bare))
    if is_name and (bare != part or after == "," or "." in bare or _is_another_name(bare)):
        return False
    if ":" not in name[2] or any(map(str.isdigit, part)) or value.start(_BARE) != value.start():
        return True
    return is_name and _is_whole_line(text, name.start(), value.end())


def _is_another_name(bare: str) -> bool:
    """Whether a value is called like a secret: ``password=db_password``."""
    return told_by(bare) >= Told.VALUE and not any(map(str.isdigit, bare))


def _is_whole_line(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - _MOST_BEHIND) : start].rpartition("\n")[2]
    return not before.strip(" -\t'\"") and text[end : end + 1] in {"", "\n", "\r"}


def _class(character: str) -> int:
    return 1 if character.isdigit() else 2 if character.isupper() else 3 if character.islower() else 0


def _bits(text: str) -> float:
    shares = [text.count(character) / len(text) for character in set(text)]
    return -sum(share * math.log2(share) for share in shares)
