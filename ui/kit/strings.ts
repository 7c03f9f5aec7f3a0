/** The words that all widgets share, in English: `l10n.ui.kit`. */
export const STRINGS = {
  close: 'Close',
  cancel: 'Cancel',
  save: 'Save',
  confirm: 'Confirm',
  search: 'Search',
  clear: 'Clear',
  more: 'More',
  moreFor: 'More for {{name}}',
  back: 'Back',
  retry: 'Try again',
  required: 'required',
  selected: '{{count}} selected|{{count}} selected',
  error: {
    title: 'This could not be loaded',
    unreachable: 'The server cannot be reached. Check the connection, then try again.',
  },
  offline: 'You are offline. What you see may be old; it is loaded anew when you are back.',
  table: {
    select: 'Select {{name}}',
    selectAll: 'Select all that are shown',
    loading: 'Loading…',
    sortBy: 'Sort by {{name}}',
    rows: '{{count}} row|{{count}} rows',
  },
  pager: { of: '{{from}}–{{to}} of {{total}}', from: '{{from}}–{{to}}', next: 'Next page', previous: 'Previous page', label: 'Pages' },
} as const;
