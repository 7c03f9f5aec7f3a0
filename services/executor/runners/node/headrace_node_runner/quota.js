/** Quota modules: `quota.js` of a service or module exports `{rules}`. Rules may be functions of the time. */

/** @param {any} module @returns {any} its rules as data */
export function describeQuota(module) {
    const rules = Array.isArray(module?.rules) ? module.rules : [];
    return { name: module?.name, rules: rules.map(described) };
}

/** @param {any} rule */
function described(rule) {
    const { throttling, ...rest } = rule;
    if (throttling === null || typeof throttling !== 'object') {
        return { ...rest, throttling };
    }
    const next = typeof throttling.getStartOfNextWindow === 'function' ? throttling.getStartOfNextWindow() : undefined;
    const moment = next === undefined ? undefined : new Date(next);
    return {
        ...rest,
        throttling: throttling.type,
        startOfNextWindow: moment && !Number.isNaN(moment.getTime()) ? moment.toISOString() : undefined
    };
}
