/** A widget's inside made of Svelte components. */
import { flushSync, mount, unmount } from 'svelte';
import type { Component } from 'svelte';
import { Context, below } from './context.svelte.ts';
import type { Tree } from './l10n.ts';
import uiCss from './ui/ui.css?inline';
import type { View } from './widget.ts';

/** `root` finds its context by `useWidget()`. */
export function view(root: Component, { css = '', strings, defaults = {} }: { css?: string; strings: Tree; defaults?: Record<string, unknown> }): View {
  return {
    css: uiCss + css,
    defaults,
    mount(target, widget) {
      const context = new Context(widget, strings);
      const mounted = mount(root, { target, context: below(context) });
      flushSync();
      return {
        close: async () => {
          await unmount(mounted);
        },
        reload: async () => {
          context.reload();
          flushSync();
          await widget.idle();
        },
      };
    },
  };
}
