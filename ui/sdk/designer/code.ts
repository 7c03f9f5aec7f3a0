/** An editor for code. A chunk of its own: who edits no code never loads it. */
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { javascriptLanguage } from '@codemirror/lang-javascript';
import { jsonLanguage } from '@codemirror/lang-json';
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { EditorState } from '@codemirror/state';
import { EditorView, drawSelection, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';

export interface CodeEditor {
  set(value: string): void;
  destroy(): void;
}

const THEME = EditorView.theme({
  '&': { border: '1px solid var(--hr-strong-line)', borderRadius: '8px', background: 'var(--hr-surface)', color: 'var(--hr-text)', fontSize: '13px' },
  '&.cm-focused': { outline: '2px solid var(--hr-primary)', outlineOffset: '-1px' },
  '.cm-scroller': { fontFamily: 'var(--hr-mono)', lineHeight: '1.5', minHeight: '96px', maxHeight: '300px', overflow: 'auto' },
  '.cm-gutters': { background: 'var(--hr-low)', color: 'var(--hr-dim)', border: 'none', borderRadius: '8px 0 0 8px' },
  '.cm-content': { caretColor: 'var(--hr-text)' },
  '.cm-cursor': { borderLeftColor: 'var(--hr-text)' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': { background: 'var(--hr-primary-soft)' },
});

const COLOURS = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.bool, tags.null], color: 'var(--hr-primary)', fontWeight: '600' },
  { tag: [tags.string, tags.regexp], color: 'var(--hr-success)' },
  { tag: [tags.number], color: 'var(--hr-warning)' },
  { tag: [tags.comment], color: 'var(--hr-dim)', fontStyle: 'italic' },
]);

export function edit(host: HTMLElement, given: { value: string; language: string; label: string; describedby: string; isReadOnly: boolean; onchange(value: string): void }): CodeEditor {
  let isSetting = false;
  const view = new EditorView({
    parent: host,
    root: host.getRootNode() as ShadowRoot | Document,
    state: EditorState.create({
      doc: given.value,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        given.language === 'json' ? jsonLanguage : javascriptLanguage,
        syntaxHighlighting(COLOURS),
        keymap.of([...defaultKeymap, ...historyKeymap]),
        THEME,
        EditorView.lineWrapping,
        EditorState.readOnly.of(given.isReadOnly),
        EditorView.editable.of(!given.isReadOnly),
        EditorView.contentAttributes.of({ 'aria-label': given.label, ...(given.describedby ? { 'aria-describedby': given.describedby } : {}) }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged && !isSetting) given.onchange(update.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    set(value) {
      if (value === view.state.doc.toString()) return;
      isSetting = true;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: value } });
      isSetting = false;
    },
    destroy: () => view.destroy(),
  };
}
