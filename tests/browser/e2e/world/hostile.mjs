// Texts that break pages made carelessly: out of a script, an attribute, a template, a chart's label, an object's keys.
// Whichever of them runs sets `__pwned`.

const RUN = "window.__pwned=1";

export const HOSTILE = [
  `</script><img src=x onerror="${RUN}">`,
  `</script><script>${RUN}</script>`,
  `<!--<script>${RUN}`,
  `<svg/onload=${RUN}>`,
  `"'\`><b onmouseover=${RUN}>&lt;&quot;&#39;`,
  `javascript:${RUN}`,
  "{{7*7}}{% raw %}{#",
  `\${${RUN}}\${7*7}`,
  "line\u2028paragraph\u2029end",
  "\u202Eright to left\u202C",
  "__proto__",
  "constructor",
  "#*#*#x#*#*#*#",
  "{a|b}{b|c}\n{name|",
  "../../../etc/passwd\0",
  "long ".repeat(2_000),
  "",
  " ",
];
