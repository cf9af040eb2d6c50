"""Which panels a page has, in the order in which they are read."""

from __future__ import annotations

from boltzbrain.pages.page import PageData
from boltzbrain.pages.panels import activity, dynamics, model
from boltzbrain.pages.panels.panel import Panel


def panels(page: PageData) -> list[Panel]:
    """Draw every panel for which the page has data."""
    reference = activity.reference_of(page)
    result = [activity.training(page), activity.rasters(page, reference)]
    result += activity.comparisons(page, reference)
    result.append(activity.population_count(page))
    if page.neurons > 1:
        result.append(activity.projection(page, reference))
    result += dynamics.memory(page)
    if page.model is not None:
        result += model.panels(page, page.model)
        result += dynamics.hidden_in_time(page)
    return result
