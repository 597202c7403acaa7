((module, wasm) => {
  const waiting = [];
  const hydrate = async (exports, node) => {
    if (node.tagName === 'LEPTOS-ISLAND') {
      const island = exports[node.dataset.component];
      if (island) {
        waiting.at(-1)?.();
        await island(node);
      }
    }
    const children = node.tagName === 'LEPTOS-CHILDREN';
    if (children) waiting.push(node.$$on_hydrate);
    for (const child of [...node.children]) await hydrate(exports, child);
    if (children) waiting.pop();
  };
  const start = async () => {
    if (!document.querySelector('leptos-island')) return;
    const exports = await import(module);
    await exports.default({ module_or_path: wasm });
    exports.hydrate();
    await hydrate(exports, document.body);
    document.documentElement.dataset.alive = '';
  };
  start();
})
