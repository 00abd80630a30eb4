"""The JavaScript that draws the charts, in one piece, so that a report works offline.

vl-convert carries Vega, Vega-Lite and Vega-Embed; bundling them takes seconds, so the bundle (0.9 MB) is kept in the
cache by vl-convert's version.
"""

from __future__ import annotations

from harness import kept_file
from harness.cache import cache_folder
from harness.report.vl_convert_process import Call, vl_convert, vl_convert_version


def vega_bundle() -> str:
    """JavaScript that defines `vegaEmbed`, safe to stand inside a script element. Raises UserError."""
    path = cache_folder("report") / f"vega-of-vl-convert-{vl_convert_version()}.js"
    if (kept := kept_file.kept_bytes(path)) is not None:
        return kept.decode()
    (bundled,) = vl_convert(Call("javascript_bundle", (None,)))  # None asks for the default snippet
    text = bundled.decode()
    # a closing tag within a string of the code would end the script element that it stands in
    text = text.replace("</script", "<\\/script")
    kept_file.keep_bytes(path, text.encode())
    return text
