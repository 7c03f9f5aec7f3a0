/** How a state looks. */
export type BadgeKind = 'plain' | 'done' | 'error' | 'warning' | 'active';
