"""`labeltool report`: what is known of a project's data and model as one HTML page with sound.

`contents` is what the page says, as plain dataclasses; `collect` and the modules it calls fill them, `page` renders it.

Charts are Vega-Lite specifications, drawn as SVG while the page is written (vl-convert, BSD-3, the extra `report`): ten
kB a chart, no JavaScript, an ARIA label on every mark, colours by CSS variables, so that light, dark and print need
no second chart. Plotly would put 1 to 5 MB of script into every page, whose marks no keyboard reaches; Vega's own
scripts are 0.8 MB and compile code, which the page's policy forbids; the marks of matplotlib's SVG have no labels.
Behind each chart is a table with its numbers; without the extra there are the tables alone. What is clicked, the
confusion matrix and the errors, is plain HTML: a table of buttons needs no library.

Sound is MP3, which every browser plays: Safari before 18.4 plays no Opus in Ogg, the container that libsndfile writes.
At 60 kbit/s five seconds are 40 kB.
"""

ERRORS = 40
"""Errors that are shown where nobody asks for another number."""
