/** Pipelines over documents, as MongoDB's clients write them. Pure functions; nothing in them runs code or writes. */

import { CancelError } from './failures.js';
import { copied, fits, isEqual, ordered, packed, projected, put, sorted, unknown, unset, valueAt } from './documents.js';

const MOST_STAGES = 50;

/** @typedef {import('./documents.js').Document} Document */

/** What the stages make of the documents. @param {Document[]} found @param {Document[]} pipeline @returns {Document[]} */
export function aggregated(found, pipeline) {
    if (!Array.isArray(pipeline) || pipeline.length > MOST_STAGES) {
        throw new CancelError(`A pipeline is a list of at most ${MOST_STAGES} stages.`);
    }
    let kept = [...found];
    for (const stage of pipeline) {
        const [name, given] = only(stage, 'A stage');
        const carryOut = STAGES[name];
        if (carryOut === undefined) {
            throw unknown(name);
        }
        kept = carryOut(kept, given);
    }
    return kept;
}

/** What an expression comes to for a document. @param {Document} document @param {any} expression @returns {any} */
export function valueOf(document, expression) {
    if (typeof expression === 'string' && expression.startsWith('$')) {
        return fieldOf(document, expression);
    }
    if (Array.isArray(expression)) {
        return expression.map((each) => valueOf(document, each) ?? null);
    }
    if (!isObject(expression)) {
        return expression;
    }
    if (!Object.keys(expression).some((name) => name.startsWith('$'))) {
        const made = Object.entries(expression).map(([name, each]) => [name, valueOf(document, each)]);
        return Object.fromEntries(made.filter(([, value]) => value !== undefined));
    }
    const [name, given] = only(expression, 'An expression');
    if (name === '$literal') {
        return given;
    }
    if (name in BRANCHES) {
        return BRANCHES[name](document, given);
    }
    if (!(name in OPERATORS)) {
        throw unknown(name);
    }
    return OPERATORS[name]((Array.isArray(given) ? given : [given]).map((each) => valueOf(document, each)));
}

/** @param {Document} document @param {string} expression */
function fieldOf(document, expression) {
    if (!expression.startsWith('$$')) {
        return through(document, expression.slice(1).split('.'));
    }
    const [name, ...path] = expression.slice(2).split('.');
    if (name !== 'ROOT' && name !== 'CURRENT') {
        throw unknown(`$$${name}`);
    }
    return through(document, path);
}

/** What stands at a path; of a list on the way what stands there in each of its objects. @param {any} value @param {string[]} parts @returns {any} */
function through(value, parts) {
    let found = value;
    for (const [number, part] of parts.entries()) {
        if (Array.isArray(found)) {
            return found.filter(isObject).map((each) => through(each, parts.slice(number))).filter((each) => each !== undefined);
        }
        found = found === null || found === undefined ? undefined : valueAt(found, part);
    }
    return found;
}

/** @param {Document[]} found @param {Document} given */
function project(found, given) {
    const computed = Object.entries(given).filter(([, each]) => !isFlag(each));
    const flags = Object.fromEntries(Object.entries(given).filter(([, each]) => isFlag(each)));
    if (!computed.length) {
        return found.map((each) => projected(each, flags));
    }
    const names = Object.fromEntries(Object.entries(flags).filter(([, flag]) => flag));
    const keepsId = flags._id ?? 1;
    return found.map((each) => {
        const kept = Object.keys(names).length ? copied(projected(each, { ...names, _id: keepsId }))
            : keepsId && '_id' in each ? { _id: each._id } : {};
        return added(kept, each, computed);
    });
}

/** @param {Document} into @param {Document} document @param {[string, any][]} fields */
function added(into, document, fields) {
    for (const [name, expression] of fields) {
        const value = valueOf(document, expression);
        if (value !== undefined) {
            put(into, name, value);
        }
    }
    return into;
}

/** @param {Document[]} found @param {Document} given */
function addFields(found, given) {
    return found.map((each) => added(copied(each), each, Object.entries(given)));
}

/** @param {Document[]} found @param {Document} given */
function group(found, given) {
    /** @type {Map<string, {key: any, members: Document[]}>} */
    const groups = new Map();
    for (const each of found) {
        const key = valueOf(each, given._id) ?? null;
        const known = groups.get(spelled(key)) ?? { key, members: [] };
        known.members.push(each);
        groups.set(spelled(key), known);
    }
    const fields = Object.entries(given).filter(([name]) => name !== '_id');
    return [...groups.values()].map(({ key, members }) => ({
        _id: key, ...Object.fromEntries(fields.map(([name, each]) => [name, gathered(members, each)]))
    }));
}

/** @param {Document[]} members @param {any} accumulator */
function gathered(members, accumulator) {
    const [name, expression] = only(accumulator, 'A field of a group');
    if (name === '$count') {
        return members.length;
    }
    if (!(name in ACCUMULATORS)) {
        throw unknown(name);
    }
    return ACCUMULATORS[name](members.map((each) => valueOf(each, expression)));
}

/** @param {Document[]} found @param {any} given a path, or {path, preserveNullAndEmptyArrays, includeArrayIndex} */
function unwind(found, given) {
    const options = typeof given === 'string' ? { path: given } : given;
    const path = String(options.path ?? '').replace(/^\$/, '');
    return found.flatMap((each) => {
        const value = valueAt(each, path);
        const items = Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
        if (!items.length && options.preserveNullAndEmptyArrays) {
            const whole = copied(each);
            if (Array.isArray(value)) {
                unset(whole, path);
            }
            return [whole];
        }
        return items.map((item, index) => {
            const one = copied(each);
            put(one, path, item);
            if (options.includeArrayIndex) {
                put(one, options.includeArrayIndex, index);
            }
            return one;
        });
    });
}

/** @param {Document[]} found @param {any} expression */
function replaceRoot(found, expression) {
    return found.map((each) => {
        const made = valueOf(each, expression);
        if (!isObject(made)) {
            throw new CancelError('What takes the place of a document is an object.');
        }
        return made;
    });
}

/** @type {Record<string, (found: Document[], given: any) => Document[]>} */
const STAGES = table({
    $match: (found, given) => found.filter((each) => fits(each, given)),
    $project: project,
    $addFields: addFields,
    $set: addFields,
    $unset: (found, given) => found.map((each) => projected(each, Object.fromEntries([given].flat().map((name) => [name, 0])))),
    $group: group,
    $sort: sorted,
    $limit: (found, given) => found.slice(0, Number(given)),
    $skip: (found, given) => found.slice(Number(given)),
    $unwind: unwind,
    $count: (found, given) => (found.length ? [{ [String(given)]: found.length }] : []),
    $sortByCount: (found, given) => sorted(group(found, { _id: given, count: { $sum: 1 } }), { count: -1 }),
    $replaceRoot: (found, given) => replaceRoot(found, given.newRoot),
    $replaceWith: replaceRoot
});

/** @type {Record<string, (values: any[]) => any>} */
const ACCUMULATORS = table({
    $sum: (values) => sum(values),
    $avg: (values) => average(values),
    $min: (values) => most(values, -1),
    $max: (values) => most(values, 1),
    $first: (values) => values[0] ?? null,
    $last: (values) => values[values.length - 1] ?? null,
    $push: (values) => values.filter((each) => each !== undefined),
    $addToSet: (values) => {
        const found = new Map();
        for (const each of values) {
            if (each !== undefined && !found.has(spelled(each))) {
                found.set(spelled(each), each);
            }
        }
        return [...found.values()];
    }
});

/** @type {Record<string, (values: any[]) => any>} */
const OPERATORS = table({
    $add: arithmetic('$add', (...values) => values.reduce((one, other) => one + other, 0)),
    $subtract: arithmetic('$subtract', (one, other) => one - other, 2),
    $multiply: arithmetic('$multiply', (...values) => values.reduce((one, other) => one * other, 1)),
    $divide: arithmetic('$divide', (one, other) => one / nonZero('$divide', other), 2),
    $mod: arithmetic('$mod', (one, other) => one % nonZero('$mod', other), 2),
    $abs: arithmetic('$abs', Math.abs, 1),
    $floor: arithmetic('$floor', Math.floor, 1),
    $ceil: arithmetic('$ceil', Math.ceil, 1),
    $round: arithmetic('$round', (value, places = 0) => Math.sign(value) * (Math.floor(Math.abs(value) * 10 ** places + 0.5) / 10 ** places)),
    $concat: (values) => {
        if (values.some(isNothing)) {
            return null;
        }
        if (!values.every((each) => typeof each === 'string')) {
            throw new CancelError('$concat takes texts.');
        }
        return values.join('');
    },
    $toUpper: ([value]) => textOf(value).toUpperCase(),
    $toLower: ([value]) => textOf(value).toLowerCase(),
    $toString: ([value]) => (isNothing(value) ? null : textOf(value)),
    $eq: (values) => isEqual(...two(values)),
    $ne: (values) => !isEqual(...two(values)),
    $gt: (values) => ordered(...two(values)) > 0,
    $gte: (values) => ordered(...two(values)) >= 0,
    $lt: (values) => ordered(...two(values)) < 0,
    $lte: (values) => ordered(...two(values)) <= 0,
    $cmp: (values) => ordered(...two(values)),
    $not: ([value]) => !isTrue(value),
    $size: ([value]) => listOf(value, '$size').length,
    $arrayElemAt: ([list, index]) => elementOf(list, index),
    $in: ([value, list]) => listOf(list, '$in').some((each) => isEqual(value, each)),
    $concatArrays: (values) => values.flatMap((each) => listOf(each, '$concatArrays')),
    $sum: (values) => sum(flat(values)),
    $avg: (values) => average(flat(values)),
    $min: (values) => most(flat(values), -1),
    $max: (values) => most(flat(values), 1),
    $first: ([list]) => elementOf(list, 0),
    $last: ([list]) => elementOf(list, -1)
});

/** @type {Record<string, (document: Document, given: any) => any>} */
const BRANCHES = table({
    $cond: (document, given) => {
        const parts = Array.isArray(given) ? given : [given.if, given.then, given.else];
        if (parts.length !== 3) {
            throw new CancelError('$cond has three parts.');
        }
        return valueOf(document, isTrue(valueOf(document, parts[0])) ? parts[1] : parts[2]);
    },
    $ifNull: (document, given) => {
        let found;
        for (const each of given) {
            found = valueOf(document, each);
            if (!isNothing(found)) {
                break;
            }
        }
        return found;
    },
    $switch: (document, { branches = [], default: otherwise }) => {
        const fitting = branches.find((/** @type {any} */ each) => isTrue(valueOf(document, each.case)));
        return valueOf(document, fitting ? fitting.then : otherwise);
    },
    $and: (document, given) => given.every((/** @type {any} */ each) => isTrue(valueOf(document, each))),
    $or: (document, given) => given.some((/** @type {any} */ each) => isTrue(valueOf(document, each)))
});

/** Names by which nothing but what is written there is found. @template T @param {Record<string, T>} entries @returns {Record<string, T>} */
function table(entries) {
    return Object.assign(Object.create(null), entries);
}

/** @param {string} name @param {(...values: any[]) => number} work @param {number} [count] */
function arithmetic(name, work, count) {
    return (/** @type {any[]} */ values) => {
        if (values.some(isNothing)) {
            return null;
        }
        if (!values.every((each) => typeof each === 'number') || (count !== undefined && values.length !== count)) {
            throw new CancelError(`${name} takes ${count ?? 'only'} numbers.`);
        }
        return work(...values);
    };
}

/** @param {string} name @param {number} value */
function nonZero(name, value) {
    if (value === 0) {
        throw new CancelError(`${name} cannot divide by 0.`);
    }
    return value;
}

/** @param {any} given @param {string} what @returns {[string, any]} */
function only(given, what) {
    const entries = Object.entries(isObject(given) ? given : {});
    if (entries.length !== 1) {
        throw new CancelError(`${what} has one name.`);
    }
    return entries[0];
}

/** @param {any[]} values */
function sum(values) {
    return values.reduce((total, each) => (typeof each === 'number' ? total + each : total), 0);
}

/** @param {any[]} values */
function average(values) {
    const numbers = values.filter((each) => typeof each === 'number');
    return numbers.length ? sum(numbers) / numbers.length : null;
}

/** @param {any[]} values @param {number} sign */
function most(values, sign) {
    return values.reduce((best, each) => (!isNothing(each) && (best === null || ordered(each, best) * sign > 0) ? each : best), null);
}

/** @param {any[]} values */
function flat(values) {
    return values.length === 1 && Array.isArray(values[0]) ? values[0] : values;
}

/** @param {any[]} values @returns {[any, any]} */
function two(values) {
    if (values.length !== 2) {
        throw new CancelError('A comparison has two sides.');
    }
    return [values[0], values[1]];
}

/** @param {any} value @param {string} name @returns {any[]} */
function listOf(value, name) {
    if (!Array.isArray(value)) {
        throw new CancelError(`${name} takes a list.`);
    }
    return value;
}

/** @param {any} list @param {number} index */
function elementOf(list, index) {
    return isNothing(list) ? null : listOf(list, '$arrayElemAt').at(index);
}

/** @param {any} value */
function textOf(value) {
    return isNothing(value) ? '' : typeof value === 'string' ? value : spelled(value);
}

/** @param {any} value */
function spelled(value) {
    return JSON.stringify(packed(value));
}

/** @param {any} value */
function isNothing(value) {
    return value === undefined || value === null;
}

/** @param {any} value */
function isTrue(value) {
    return !isNothing(value) && value !== false && value !== 0;
}

/** @param {any} value */
function isFlag(value) {
    return value === 0 || value === 1 || typeof value === 'boolean';
}

/** @param {any} value */
function isObject(value) {
    return value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date);
}
