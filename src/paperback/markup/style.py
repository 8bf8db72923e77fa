"""The look of all pages and fragments: one sheet, everything under the class `paperback`, light and dark, printable."""

from __future__ import annotations

__all__ = ["PAGE", "STYLE"]

STYLE = """
.paperback { --paper:#fff; --card:#f7f8fa; --ink:#1b1f24; --soft:#5b6570; --line:#dfe3e8; --good:#2166ac; --bad:#b2182b;
  --c0:#2166ac; --c1:#d6604d; --c2:#1b7837; --c3:#762a83; --c4:#8c510a; --on:#fff;
  color-scheme:light dark; color:var(--ink); background:var(--paper); line-height:1.5;
  font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Noto Sans",sans-serif; font-size:15px; }
@media (prefers-color-scheme:dark) { .paperback { --paper:#14171b; --card:#1c2127; --ink:#e4e7eb; --soft:#9aa5b1;
  --line:#313840; --good:#5aa2e0; --bad:#ef7a72; --c0:#5aa2e0; --c1:#f0937f; --c2:#68bb7d; --c3:#c193d6; --c4:#d9a761;
  --on:#0e1114; } }
.paperback .scroll { overflow-x:auto; max-width:100%; }
.paperback table { border-collapse:collapse; font-size:13.5px; background:none; color:inherit; margin:0; }
.paperback caption { text-align:left; color:var(--soft); padding:0 0 6px; }
.paperback th, .paperback td { padding:5px 12px 5px 0; text-align:left; vertical-align:top; border:0; background:none;
  border-bottom:1px solid var(--line); white-space:nowrap; }
.paperback th { font-weight:600; color:var(--soft); }
.paperback th.number, .paperback td.number { text-align:right; font-variant-numeric:tabular-nums; }
.paperback code, .paperback pre { font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
  font-size:12.5px; background:none; color:inherit; }
.paperback td code { display:block; min-width:260px; white-space:normal; }
.paperback .soft { color:var(--soft); }
.paperback .bad { color:var(--bad); }
.paperback .row { display:grid; gap:20px 28px; grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr)); }
.paperback .wrap th, .paperback .wrap td:not(.number) { white-space:normal; overflow-wrap:break-word; }
.paperback svg { display:block; width:100%; height:auto; font-family:inherit; }
.paperback svg.chart { max-width:640px; }
.paperback svg text { fill:var(--soft); font-size:12px; font-variant-numeric:tabular-nums; }
.paperback svg .label, .paperback svg .key { fill:var(--ink); }
.paperback svg .grid { stroke:var(--line); stroke-width:1; }
.paperback svg .axis { stroke:var(--soft); stroke-width:1; }
.paperback svg .line, .paperback svg .thin, .paperback svg .dashed { fill:none; stroke-width:2; stroke-linejoin:round;
  stroke-linecap:round; }
.paperback svg .thin { stroke-width:1.2; }
.paperback svg .dashed { stroke-width:1.4; stroke-dasharray:5 4; }
.paperback svg .c0 { stroke:var(--c0); } .paperback svg .c1 { stroke:var(--c1); }
.paperback svg .c2 { stroke:var(--c2); } .paperback svg .c3 { stroke:var(--c3); }
.paperback svg .c4 { stroke:var(--c4); }
.paperback svg .dot { stroke:none; }
.paperback svg .c0.dot { fill:var(--c0); } .paperback svg .c1.dot { fill:var(--c1); }
.paperback svg .c2.dot { fill:var(--c2); } .paperback svg .c3.dot { fill:var(--c3); }
.paperback svg .c4.dot { fill:var(--c4); }
.paperback svg.heat .right { fill:var(--good); } .paperback svg.heat .wrong { fill:var(--bad); }
.paperback svg.heat .none { fill:var(--line); fill-opacity:.35; }
.paperback svg.heat g text { fill:var(--ink); } .paperback svg.heat g text.on { fill:var(--on); }
.paperback img { image-rendering:pixelated; vertical-align:top; border-radius:3px; }
.paperback .pictures { display:flex; flex-wrap:wrap; gap:14px; }
.paperback figure { margin:0; font-size:12.5px; line-height:1.35; }
.paperback figcaption { margin-top:4px; color:var(--soft); max-width:110px; overflow-wrap:anywhere; }
.paperback figcaption b { color:var(--ink); font-weight:600; }
"""

PAGE = """
html { background:#fff; } @media (prefers-color-scheme:dark) { html { background:#14171b; } }
body.paperback { margin:0; padding:36px 28px 60px; }
.paperback main, .paperback header, .paperback footer { max-width:1120px; margin:0 auto; }
.paperback h1 { font-size:27px; line-height:1.25; font-weight:650; letter-spacing:-.01em; margin:0 0 4px;
  overflow-wrap:anywhere; }
.paperback h2 { font-size:19px; font-weight:650; margin:44px 0 12px; padding-top:14px;
  border-top:1px solid var(--line); }
.paperback h3 { font-size:14.5px; font-weight:600; margin:20px 0 8px; }
.paperback p { margin:0 0 12px; max-width:74ch; }
.paperback nav { display:flex; flex-wrap:wrap; gap:4px 18px; margin:16px 0 0; font-size:13.5px; }
.paperback a { color:var(--good); text-decoration:none; } .paperback a:hover { text-decoration:underline; }
.paperback .cards { display:grid; gap:12px; grid-template-columns:repeat(auto-fit,minmax(min(100%,158px),1fr));
  margin:24px 0 0; }
.paperback .card { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:12px 16px; }
.paperback .card b { display:block; font-size:24px; line-height:1.3; font-weight:650; font-variant-numeric:tabular-nums;
  overflow-wrap:anywhere; }
.paperback .card span { color:var(--soft); font-size:13px; }
.paperback pre { margin:0 0 12px; padding:12px 14px; background:var(--card); border:1px solid var(--line);
  border-radius:8px; overflow-x:auto; line-height:1.55; }
.paperback ul { margin:0 0 12px; padding-left:20px; max-width:74ch; } .paperback li { margin:3px 0; }
.paperback summary { cursor:pointer; font-weight:600; font-size:14.5px; margin:8px 0; }
.paperback .formulas math { font-size:17px; } .paperback .formulas td { vertical-align:middle; padding-right:36px; }
.paperback footer { margin-top:48px; color:var(--soft); font-size:13px; }
@media print { .paperback { font-size:11pt; } body.paperback { padding:0; } .paperback nav { display:none; }
  .paperback td:not(.number) { white-space:normal; } .paperback .formulas math { font-size:13px; }
  .paperback details::details-content { content-visibility:visible; block-size:auto; }
  .paperback h2, .paperback h3 { break-after:avoid; }
  .paperback figure, .paperback svg, .paperback tr, .paperback .card { break-inside:avoid; }
  .paperback .scroll, .paperback pre { overflow:visible; white-space:pre-wrap; }
  .paperback * { -webkit-print-color-adjust:exact; print-color-adjust:exact; } }
"""
