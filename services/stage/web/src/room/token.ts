/**
 * The token that opens a page's calls. It comes in the address's fragment (`#token=…`), which no server sees, is taken
 * out of the address at once, and lives as long as the tab.
 */
export class Token {
  readonly #key: string;

  /** @param purpose keeps the pages' tokens apart */
  constructor(purpose: string) {
    this.#key = `lydia.${purpose}.token`;
    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    if (given === null) return;
    this.value = given;
    history.replaceState(history.state, "", location.pathname + location.search);
  }

  /** "" when none is known. */
  get value(): string {
    return sessionStorage.getItem(this.#key) ?? "";
  }

  set value(token: string) {
    if (token) sessionStorage.setItem(this.#key, token);
    else sessionStorage.removeItem(this.#key);
  }
}
