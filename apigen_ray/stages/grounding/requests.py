"""How many things a query asks for."""

import re

_LIST_MARK = re.compile(r"(?:^|\n)\s*\(?\d{1,2}[.)]\s")
_VERBS = (
    "find|calculate|compute|get|tell|give|provide|show|check|book|search|determine|convert|make|"
    "analy[sz]e|what|how|who|when|where|which|identify|predict|estimate|fetch|retrieve|look|solve|"
    "order|schedule|recommend|suggest|generate|create|sort|send|update|play|help|repeat|do the "
    "same|"
    "the same|transfer|reserve|rent|set|add|delete|remove|list|translate|"
    r"(?:can|could) you(?:\s+(?:also|then|please))*(?:\s+\w+)?"
)
_MARKERS = re.compile(
    r"(?:\b(?:and|then|also|;)|[.?!,]\s*(?:then|also|and|next|finally|lastly|plus|additionally|"
    r"furthermore|moreover|after that|afterwards|in addition|secondly|second|thirdly|third|fourth))"
    rf",?\s+(?:then\s+|also\s+|finally\s+|lastly\s+|please\s+)*(?:{_VERBS})\b(?!-)"
    r"|\b(?:and|then|afterwards|finally|lastly) (?:then|finally|lastly|another|from|the same|did)\b"
    r"|\bfollowed by\b|\bhow (?:does|do) (?:this|it|that) compare\b|\bwhat if\b|\bas well as\b"
    r"|(?:^|[.?!]\s+)(?:then|also|next|finally|lastly|plus|additionally|furthermore|moreover|"
    r"after that|afterwards|in addition|secondly|second|thirdly|third|fourth|similarly|likewise|"
    r"do the same|repeat)\b|,\s*another (?:one|with|for|from)\b",
    re.IGNORECASE,
)


def requests(query: str) -> int:
    """How many things a query asks for, by its marks and words: at least one.

    An estimate: a request may take several calls, and a question may be asked twice.
    """
    questions = query.count("?") + query.count("\uff1f")
    listed = len(_LIST_MARK.findall(query))
    return max(1, questions, listed, 1 + len(_MARKERS.findall(query)))
