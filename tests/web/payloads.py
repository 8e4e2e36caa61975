"""Names that try to run. Each would set `window.ran` or open a dialog; none may."""

from __future__ import annotations

PAYLOADS = [
    "<script>ran=1</script>",
    "</script><script>ran=1</script>",
    "<!--<script>ran=1</script>-->",
    "<img src=x onerror=ran=1>",
    '"><img src=x onerror=ran=1>',
    "'><svg onload=ran=1>",
    "<svg><script>ran=1</script></svg>",
    "<iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
    "<body onload=ran=1>",
    "<details open ontoggle=ran=1>",
    "<a href=javascript:ran=1>x</a>",
    "javascript:ran=1",
    "data:text/html,<script>parent.ran=1</script>",
    "<style>*{background:url(https://evil.test)}</style>",
    "<link rel=stylesheet href=https://evil.test/x.css>",
    "<base href=https://evil.test/>",
    "<form action=https://evil.test><button>x</button></form>",
    "<object data=https://evil.test></object>",
    "${ran=1}`;ran=1;//",
    "';ran=1;//",
    '";ran=1;//',
    "\\u003cscript\\u003eran=1\\u003c/script\\u003e",
    "{{script}}{{data}}",
    "\u2028ran=1\u2029\u202etxt.exe",
    "]]><script>ran=1</script><noscript>",
]
assert len(set(PAYLOADS)) == 25
