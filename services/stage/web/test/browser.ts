// What modules ask a browser for as soon as they are loaded. To be imported before them.
Object.defineProperty(globalThis, "localStorage", { value: { getItem: () => "zh" }, configurable: true });
