/** The lines of every icon, in a square of 24. */
export const PATHS = {
  back: 'M15 5l-7 7 7 7', undo: 'M9 7L4 12l5 5M4 12h10a6 6 0 010 12', redo: 'M15 7l5 5-5 5M20 12H10a6 6 0 000 12',
  plus: 'M12 5v14M5 12h14', minus: 'M5 12h14', fit: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5', tidy: 'M4 5h6v5H4zM14 4h6v5h-6zM14 15h6v5h-6zM10 7.5h4M12 7.5v10h2',
  search: 'M11 4a7 7 0 110 14 7 7 0 010-14zM16.5 16.5L21 21', play: 'M7 4.5v15l12-7.5z', stop: 'M6 6h12v12H6z', close: 'M6 6l12 12M18 6L6 18',
  runs: 'M12 7v5l3 2M12 3a9 9 0 110 18 9 9 0 010-18z', versions: 'M12 3l9 5-9 5-9-5zM3 13l9 5 9-5', logs: 'M5 6h14M5 12h14M5 18h9', problems: 'M12 4l9 16H3zM12 10v4M12 17v.5',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10 11v6M14 11v6', copy: 'M9 9h11v11H9zM5 15H4V4h11v1', moon: 'M20 14A8 8 0 0110 4a8 8 0 1010 10z', list: 'M9 6h11M9 12h11M9 18h11M4 6h.5M4 12h.5M4 18h.5',
  map: 'M4 5h16v14H4zM13 13h5v4h-5z', braces: 'M9 4c-3 0-2 3-2 5s-1 3-3 3c2 0 3 1 3 3s-1 5 2 5M15 4c3 0 2 3 2 5s1 3 3 3c-2 0-3 1-3 3s1 5-2 5', test: 'M9 3h6M10 3v6l-5 9a2 2 0 002 3h10a2 2 0 002-3l-5-9V3M8 15h8',
  note: 'M5 4h14v10l-5 6H5zM14 20v-6h5', frame: 'M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M8 8h8v8H8z', share: 'M7 12a2.5 2.5 0 10-.1 0zM17 8a2.5 2.5 0 10-.1 0zM17 21a2.5 2.5 0 10-.1 0zM9 9l6-3M9 11l6 5',
  more: 'M5 12h.5M12 12h.5M19 12h.5', link: 'M10 14a4 4 0 006 0l3-3a4 4 0 00-6-6l-1 1M14 10a4 4 0 00-6 0l-3 3a4 4 0 006 6l1-1', check: 'M5 12l5 5 9-10', out: 'M14 4h6v6M20 4l-9 9M18 14v6H4V6h6',
  flows: 'M5 4h5v5H5zM14 15h5v5h-5zM7.5 9v4a4 4 0 004 4H14', user: 'M12 4a4 4 0 110 8 4 4 0 010-8zM4.5 20.5a7.5 7.5 0 0115 0', key: 'M3 12a4.5 4.5 0 109 0 4.5 4.5 0 10-9 0M12 12h9v4M17 12v3', store: 'M5 6c0-3.3 14-3.3 14 0s-14 3.3-14 0zM5 6v12c0 3.3 14 3.3 14 0V6M5 12c0 3.3 14 3.3 14 0',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4', upload: 'M12 16V4M7 9l5-5 5 5M4 16v4h16v-4', download: 'M12 4v12M7 11l5 5 5-5M4 16v4h16v-4', task: 'M4 4h16v16H4zM8 12l3 3 5-6', plug: 'M9 3v5M15 3v5M6 8h12v4a6 6 0 01-12 0zM12 18v3', chart: 'M4 4v16h16M8 16v-5M12 16V8M16 16v-3',
  puzzle: 'M4 8h4.5a2 2 0 114 0H17v4.5a2 2 0 110 4V21H4z', grid: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z', picture: 'M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9h.5', refresh: 'M20 12a8 8 0 11-2.3-5.6M20 3v4.5h-4.5', edit: 'M4 20l1-4L16 5l3 3L8 19zM13.5 7.5l3 3',
  down: 'M6 9l6 6 6-6', up: 'M6 15l6-6 6 6', next: 'M9 5l7 7-7 7', offline: 'M4 4l16 16M8 8.5A5 5 0 006.5 18H17M10.5 6.3A6 6 0 0118 11a3.5 3.5 0 012.5 5.5', sun: 'M12 8a4 4 0 110 8 4 4 0 010-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4',
  menu: 'M4 6h16M4 12h16M4 18h16', leave: 'M14 4H5v16h9M10 12h11M17 8l4 4-4 4', filter: 'M4 5h16l-6 7v6l-4 2v-8z', gear: 'M12 9a3 3 0 110 6 3 3 0 010-6zM12 2.8v3M12 18.2v3M2.8 12h3M18.2 12h3M5.5 5.5l2.1 2.1M16.4 16.4l2.1 2.1M5.5 18.5l2.1-2.1M16.4 7.6l2.1-2.1', mail: 'M3 6h18v13H3zM3 7l9 7 9-7', wait: 'M6 3h12M6 21h12M7 3c0 5 10 5 10 9s-10 4-10 9M17 3c0 5-10 5-10 9s10 4 10 9',
  grip: 'M9 6h.5M9 12h.5M9 18h.5M15 6h.5M15 12h.5M15 18h.5',
  globe: 'M12 3a9 9 0 110 18 9 9 0 010-18zM3 12h18M12 3c5 5 5 13 0 18M12 3c-5 5-5 13 0 18',
} as const;

export type IconName = keyof typeof PATHS;
