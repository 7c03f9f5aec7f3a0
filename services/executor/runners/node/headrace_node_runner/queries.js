/** `context.db.queryBuilder`: what a list route was asked for, as a query of a collection. */

const MOST = 1000;
const DEFAULT_LIMIT = 100;

export const queryBuilder = {
    /**
     * @param {{limit?: any, offset?: any, sort?: string, projection?: string, filter?: string | string[]}} options as they
     *   stand in a query: `sort` is field:direction, `projection` a list of fields with - before those to leave out,
     *   `filter` a list of field:value with ! before a value that must not be
     */
    createBase({ limit, offset, sort, projection, filter } = {}) {
        /** @type {Record<string, any>} */
        const selector = {};
        for (const [field, value] of pairs(filter)) {
            queryBuilder.addSelector(selector, field, value.startsWith('!') ? { $ne: value.slice(1) } : value);
        }
        return {
            selector,
            projection: Object.fromEntries(words(projection).map((each) => (each.startsWith('-') ? [each.slice(1), 0] : [each, 1]))),
            sort: Object.fromEntries(pairs(sort).map(([field, direction]) => [field, Number(direction) < 0 ? -1 : 1])),
            limit: Math.min(MOST, Math.max(1, Math.trunc(Number(limit)) || DEFAULT_LIMIT)),
            offset: Math.max(0, Math.trunc(Number(offset)) || 0)
        };
    },

    /** One more condition; those that are there stay. @param {Record<string, any>} selector @param {string} field @param {any} wanted */
    addSelector(selector, field, wanted) {
        if (field in selector) {
            (selector.$and ??= []).push({ [field]: wanted });
        } else {
            selector[field] = wanted;
        }
        return selector;
    }
};

/** @param {string | string[] | undefined} text */
function words(text) {
    return [text ?? []].flat().flatMap((each) => String(each).split(',')).map((each) => each.trim()).filter(Boolean);
}

/** @param {string | string[] | undefined} text @returns {[string, string][]} */
function pairs(text) {
    return words(text).map((each) => {
        const at = each.indexOf(':');
        return at < 0 ? [each, ''] : [each.slice(0, at), each.slice(at + 1)];
    });
}
