export type Language = "zh" | "en";

const KEY = "lydia.language";

/** The language chosen on this device, else the browser's. */
export function language(): Language {
  const chosen = localStorage.getItem(KEY);
  if (chosen === "zh" || chosen === "en") return chosen;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** Remembers the other language and shows the page in it. */
export function switchLanguage(): void {
  localStorage.setItem(KEY, language() === "zh" ? "en" : "zh");
  location.reload();
}

/** Words by name, [Chinese, English]. */
export type Dictionary<Name extends string> = Readonly<Record<Name, readonly [string, string]>>;

/** The words of a page in its language, with `{0}`, `{1}` … filled in. */
export function speaker<Name extends string>(words: Dictionary<Name>): (name: Name, ...values: string[]) => string {
  const place = language() === "zh" ? 0 : 1;
  return (name, ...values) => words[name][place].replace(/\{(\d)\}/g, (_, index) => values[Number(index)] ?? "");
}

/** Puts words into the page's own HTML: `data-words` is the text, `data-words-label` the accessible name and
 *  `data-words-placeholder` the hint of an empty field. */
export function translate<Name extends string>(say: (name: Name) => string): void {
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll<HTMLElement>("[data-words]")) {
    element.textContent = say(element.dataset["words"] as Name);
  }
  for (const element of document.querySelectorAll<HTMLElement>("[data-words-label]")) {
    const label = say(element.dataset["wordsLabel"] as Name);
    element.setAttribute("aria-label", label);
    element.title = label;
  }
  for (const element of document.querySelectorAll<HTMLElement>("[data-words-placeholder]")) {
    element.setAttribute("placeholder", say(element.dataset["wordsPlaceholder"] as Name));
  }
}
