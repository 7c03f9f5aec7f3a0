/** The words of the list of files: `l10n.ui.files`. */
export const STRINGS = {
  title: 'Files',
  text: 'What flows made, and what you uploaded for them.',
  upload: 'Upload files',
  drop: 'Drop files here to upload them',
  search: 'Search files',
  columns: { filename: 'Name', length: 'Size', contentType: 'Kind', uploadDate: 'Uploaded' },
  menu: { download: 'Download', remove: 'Delete' },
  empty: { title: 'No files yet', text: 'Drop files here, or upload them. Flows keep theirs here, too.' },
  none: { title: 'No file fits', text: 'Try another word.', all: 'Show all files' },
  remove: { title: 'Delete “{{name}}”?', several: 'Delete {{count}} file?|Delete {{count}} files?', text: 'Flows that need it will not find it any more.', yes: 'Delete', done: 'Deleted {{count}} file|Deleted {{count}} files' },
  uploading: { label: 'Uploads', progress: 'Uploading {{name}}', done: 'Uploaded “{{name}}”', cancel: 'Cancel the upload of {{name}}', retry: 'Try {{name}} again', empty: '“{{name}}” is empty.' },
  selected: '{{count}} selected',
  chosen: 'What is selected',
} as const;
