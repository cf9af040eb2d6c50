"""Words of the field, explained where they stand on the page."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

GLOSSARY = {
    "assembly": "a group of neurons that are active together: those strongly tied to one hidden "
    "unit",
    "bits per spike": "the gain of a score divided by the number of spikes: 0 is what the rates "
    "tell",
    "coupling": "how much the activity of one neuron changes the log-odds of another in the "
    "model; statistical, not a synapse",
    "covariance": "how much two neurons are active together beyond what their rates make happen",
    "effective field": "log-odds of a neuron being active given all others",
    "free energy": "minus the log-probability of a bin, up to a constant",
    "gain": "log-probability of a bin under the model less that under independent neurons of the "
    "same rates",
    "hidden unit": "a variable of the model that no electrode sees; it ties neurons together",
    "independent neurons": "the model that knows every neuron's rate and nothing else",
    "log-partition function": "the constant that makes the probabilities of the model sum to 1; "
    "it must be estimated",
    "nats": "natural units of information: 1 nat is 1.44 bits",
    "normalised error": "0 where generated and test data agree as well as training and test "
    "data, 1 where they agree as badly as shuffled data",
    "population count": "how many neurons are active in a bin",
    "standard error": "how far a figure would scatter over recordings of this length",
    "test fold": "bins that the model never saw, kept for the score",
    "training fold": "bins that the model was fitted to",
    "triplet": "how much three neurons are active together beyond what pairs make happen",
    "validation": "bins that chose the update, and had no part in the fit or the score",
}
"""Word to its meaning, the word in lower case and in the singular."""

_PLURALS = {"assembly": "assemblies", "nats": "nats", "validation": "validation"}
_WORDS = {form: word for word in GLOSSARY for form in (word, _PLURALS.get(word, f"{word}s"))}
_FOUND = re.compile(
    r"\b(" + "|".join(sorted(map(re.escape, _WORDS), key=len, reverse=True)) + r")\b",
    re.IGNORECASE,
)
_CODE = re.compile(r"`([^`]+)`")


def explained(text: str) -> Markup:
    """Return a text as HTML with the first of each known word explained on hover.

    What stands between backticks is code.

    Examples
    --------
    >>> print(explained("Nats & nats"))
    <abbr title="natural units of information: 1 nat is 1.44 bits">Nats</abbr> &amp; nats
    """
    seen: set[str] = set()
    parts: list[Markup] = []
    end = 0
    for match in _FOUND.finditer(text):
        word = _WORDS[match[0].lower()]
        if word in seen:
            continue
        seen.add(word)
        parts += [
            escape(text[end : match.start()]),
            Markup('<abbr title="{}">{}</abbr>').format(GLOSSARY[word], match[0]),
        ]
        end = match.end()
    whole = Markup("").join([*parts, escape(text[end:])])
    return Markup(_CODE.sub(r"<code>\1</code>", str(whole)))
