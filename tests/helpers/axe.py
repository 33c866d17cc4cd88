"""Accessibility: what axe-core finds in a page that is open in the browser."""

from __future__ import annotations

from importlib import resources

from helpers.chromium import Tab


async def violations(tab: Tab) -> list[str]:
    """Return what is wrong with the page as it is now: the rule, how serious that is, and the first element."""
    script = resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    # Through the protocol: the page's own policy forbids scripts of others.
    await tab.do("Runtime.evaluate", expression=script)
    found = await tab.value(
        "axe.run().then(({ violations }) => "
        "violations.map(({ id, impact, nodes }) => `${id} (${impact}): ${nodes[0].html}`))"
    )
    return list(found)
