// @ts-check
// A drawing of a page as a file of its own: SVG, or PNG made of that. The colours are those of the moment, in the file itself;
// what only makes sense on the page, such as links, stays there. A classic script: a report opened from disk cannot load modules.
"use strict";

(() => {
  const NS = "http://www.w3.org/2000/svg";
  /** What style sheets say of shapes and words. */
  const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "font-size", "font-weight"];
  /** Room for a title and for the words around the drawing. */
  const ROOM = { top: 40, right: 20, bottom: 16, left: 56 };
  /** Pixels of a PNG for each of the page. */
  const SCALE = 2;

  /** @param {string} name @param {Record<string, string | number>} attributes */
  const shape = (name, attributes) => {
    const made = document.createElementNS(NS, name);
    for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, String(value));
    return made;
  };

  /** Shapes and words alone, each with its own look. @param {Element} from @param {Element} to */
  const copyInto = (from, to) => {
    for (const child of from.children) {
      const name = child.localName;
      if (child.classList.contains("hit")) continue;
      if (name === "a" || name === "g") {
        const group = shape("g", {});
        copyInto(child, group);
        to.append(group);
        continue;
      }
      const made = shape(name, {});
      for (const { name: attribute, value } of child.attributes) if (!/^(class|style|href|on|aria|data)/.test(attribute)) made.setAttribute(attribute, value);
      if (name !== "title") {
        const style = getComputedStyle(child);
        for (const one of STYLES) made.setAttribute(one, style.getPropertyValue(one));
      }
      if (name === "title" || name === "text") made.textContent = child.textContent;
      to.append(made);
    }
  };

  /** @param {SVGSVGElement} drawing @param {string} title */
  const pictureOf = (drawing, title) => {
    const { width, height } = drawing.getBoundingClientRect();
    const size = { width: Math.round(width + ROOM.left + ROOM.right), height: Math.round(height + ROOM.top + ROOM.bottom) };
    const style = getComputedStyle(document.documentElement);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const svg = shape("svg", { xmlns: NS, ...size, viewBox: `0 0 ${size.width} ${size.height}`, "font-family": getComputedStyle(drawing).fontFamily, role: "img", "aria-label": title });
    svg.append(shape("rect", { width: size.width, height: size.height, fill: colour("--surface") }));
    const heading = shape("text", { x: 16, y: 26, "font-size": 15, "font-weight": 640, fill: colour("--ink") });
    heading.textContent = title;
    const inner = shape("svg", { x: ROOM.left, y: ROOM.top, width, height, overflow: "visible" });
    copyInto(drawing, inner);
    svg.append(heading, inner);
    return { text: new XMLSerializer().serializeToString(svg), ...size };
  };

  /** @param {{text: string, width: number, height: number}} picture @returns {Promise<Blob>} */
  const png = async ({ text, width, height }) => {
    const image = new Image(width, height);
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width * SCALE, height * SCALE];
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve, reject) => canvas.toBlob((blob) => { if (blob) resolve(blob); else reject(new Error("no picture")); }));
  };

  document.addEventListener("click", async (event) => {
    const button = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest?.("button[data-picture]"));
    const drawing = /** @type {SVGSVGElement | null | undefined} */ (button?.closest("section")?.querySelector("svg.plot"));
    if (!button || !drawing) return;
    const { picture: kind, name, title } = button.dataset;
    const made = pictureOf(drawing, title ?? "");
    /** @type {any} */ (globalThis).callMetricsSaving.save(`${name}.${kind}`, kind === "png" ? await png(made) : new Blob([made.text], { type: "image/svg+xml" }));
  });

  const show = () => { for (const tools of document.querySelectorAll(".plot-save")) tools.removeAttribute("hidden"); };
  document.addEventListener("reportchange", show);
  show();
})();
