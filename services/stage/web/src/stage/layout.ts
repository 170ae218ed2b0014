/**
 * How the page is laid out. "page": with everything to write and to press; "vertical" and "wide": the show alone, for
 * phones and for captures; "bare": only her, what she says and the AI label, on a transparent ground.
 */
export const LAYOUTS = ["page", "vertical", "wide", "bare"] as const;
export type Layout = (typeof LAYOUTS)[number];

export interface Choice {
  readonly layout: Layout;
  /** What was asked for and is none; the layout is "page" then. */
  readonly unknown?: string;
}

/** The layout that an address asks for. @param query as in `location.search` */
export function chosenLayout(query: string): Choice {
  const asked = new URLSearchParams(query).get("layout") ?? "page";
  const layout = LAYOUTS.find((known) => known === asked);
  return layout ? { layout } : { layout: "page", unknown: asked };
}
