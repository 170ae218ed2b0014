/** The element with this id in the page's own HTML. Throws where HTML and script do not fit each other. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`the page has no ${type.name} #${id}`);
}

/** A new element. Strings become text nodes, never HTML. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = "",
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** A button with words that calls `pressed`; `about` tells those who hear it alone what it is about. */
export function button(className: string, words: string, pressed: () => void, about = ""): HTMLButtonElement {
  const made = el("button", className, words);
  made.type = "button";
  if (about) made.setAttribute("aria-label", `${words}: ${about}`);
  made.addEventListener("click", pressed);
  return made;
}

/** One of the pictures in the page's `<svg>` of symbols. */
export function icon(name: string): SVGSVGElement {
  const namespace = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(namespace, "svg");
  const use = document.createElementNS(namespace, "use");
  use.setAttribute("href", `#icon-${name}`);
  picture.setAttribute("class", "icon");
  picture.setAttribute("aria-hidden", "true");
  picture.append(use);
  return picture;
}
