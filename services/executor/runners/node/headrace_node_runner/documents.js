/** Documents as MongoDB's clients speak of them: which ones a filter means, and what an update leaves. Pure functions. */

import { CancelError } from './failures.js';

/** @typedef {Record<string, any>} Document */

const COMPARISONS = {
    $eq: (/** @type {any} */ one, /** @type {any} */ other) => isEqual(one, other),
    $ne: (/** @type {any} */ one, /** @type {any} */ other) => !hasValue(one, other),
    $gt: (/** @type {any} */ one, /** @type {any} */ other) => compared(one, other, (order) => order > 0),
    $gte: (/** @type {any} */ one, /** @type {any} */ other) => compared(one, other, (order) => order >= 0),
    $lt: (/** @type {any} */ one, /** @type {any} */ other) => compared(one, other, (order) => order < 0),
    $lte: (/** @type {any} */ one, /** @type {any} */ other) => compared(one, other, (order) => order <= 0),
    $in: (/** @type {any} */ one, /** @type {any} */ other) => other.some((/** @type {any} */ each) => isEqual(one, each)),
    $nin: (/** @type {any} */ one, /** @type {any} */ other) => !other.some((/** @type {any} */ each) => hasValue(one, each)),
    $exists: (/** @type {any} */ one, /** @type {any} */ other) => (one !== undefined) === Boolean(other),
    $size: (/** @type {any} */ one, /** @type {any} */ other) => Array.isArray(one) && one.length === other,
    $regex: (/** @type {any} */ one, /** @type {any} */ other) => typeof one === 'string' && new RegExp(other).test(one)
};

/** Whether a document is one that a filter means. @param {Document} document @param {Document} filter @returns {boolean} */
export function fits(document, filter = {}) {
    return Object.entries(filter).every(([name, wanted]) => {
        switch (name) {
            case '$and':
                return wanted.every((/** @type {Document} */ each) => fits(document, each));
            case '$or':
                return wanted.some((/** @type {Document} */ each) => fits(document, each));
            case '$nor':
                return !wanted.some((/** @type {Document} */ each) => fits(document, each));
            default:
                if (name.startsWith('$')) {
                    throw unknown(name);
                }
                return hasValue(valueAt(document, name), wanted);
        }
    });
}

/**
 * What an update leaves of a document, which stays as it is itself.
 * @param {Document} document @param {Document} update @param {boolean} [isNew] @returns {Document}
 */
export function updated(document, update, isNew = false) {
    const names = Object.keys(update);
    if (!names.some((name) => name.startsWith('$'))) {
        return { ...copied(update), _id: document._id };
    }
    const made = copied(document);
    for (const name of names) {
        const change = CHANGES[name];
        if (change === undefined) {
            throw unknown(name);
        }
        if (name !== '$setOnInsert' || isNew) {
            Object.entries(update[name]).forEach(([path, value]) => change(made, path, copied(value)));
        }
    }
    return { ...made, _id: document._id };
}

/** The beginning of a document that an update makes where none is found. @param {Document} filter @returns {Document} */
export function seedOf(filter) {
    /** @type {Document} */
    const seed = {};
    for (const [name, wanted] of Object.entries(filter ?? {})) {
        if (!name.startsWith('$') && !isComparison(wanted)) {
            put(seed, name, copied(wanted));
        }
    }
    return seed;
}

/** @param {Document[]} documents @param {Document} order by name 1 or -1 @returns {Document[]} */
export function sorted(documents, order) {
    const names = Object.entries(order ?? {});
    return [...documents].sort((one, other) => {
        for (const [name, direction] of names) {
            const found = ordered(valueAt(one, name), valueAt(other, name));
            if (found) {
                return found * Number(direction);
            }
        }
        return 0;
    });
}

/** @param {Document} document @param {Document} [projection] names with 1, or with 0 @returns {Document} */
export function projected(document, projection) {
    const names = Object.keys(projection ?? {});
    if (!projection || !names.length) {
        return document;
    }
    const isKept = names.some((name) => name !== '_id' && projection[name]) || names.every((name) => projection[name]);
    /** @type {Document} */
    const made = isKept ? {} : copied(document);
    if (!isKept) {
        names.filter((name) => !projection[name]).forEach((name) => unset(made, name));
        return made;
    }
    for (const name of ['_id', ...names]) {
        const value = valueAt(document, name);
        if (value !== undefined && projection[name] !== 0 && projection[name] !== false) {
            put(made, name, value);
        }
    }
    return made;
}

/** @param {any} document @param {string} path with dots @returns {any} */
export function valueAt(document, path) {
    return path.split('.').reduce((value, part) => (isPlace(value) && Object.hasOwn(value, part) ? value[part] : undefined), document);
}

/** @param {any} value */
function isPlace(value) {
    return value !== null && typeof value === 'object' && !(value instanceof Date);
}

/** As it is kept: JSON knows no dates. @param {any} value @returns {any} */
export function packed(value) {
    if (value instanceof Date) {
        return { $date: value.toISOString() };
    }
    if (Array.isArray(value)) {
        return value.map((each) => packed(each));
    }
    if (value !== null && typeof value === 'object' && typeof value.toJSON !== 'function') {
        return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, packed(each)]));
    }
    return value;
}

/** @param {any} value @returns {any} */
export function unpacked(value) {
    if (Array.isArray(value)) {
        return value.map((each) => unpacked(each));
    }
    if (value === null || typeof value !== 'object') {
        return value;
    }
    if (typeof value.$date === 'string') {
        return new Date(value.$date);
    }
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, unpacked(each)]));
}

/** @type {Record<string, (document: Document, path: string, value: any) => void>} */
const CHANGES = {
    $set: put,
    $setOnInsert: put,
    $unset: (document, path) => unset(document, path),
    $inc: (document, path, value) => put(document, path, (valueAt(document, path) ?? 0) + value),
    $min: (document, path, value) => put(document, path, least(valueAt(document, path), value, -1)),
    $max: (document, path, value) => put(document, path, least(valueAt(document, path), value, 1)),
    $push: (document, path, value) => put(document, path, [...listAt(document, path), ...eachOf(value)]),
    $addToSet: (document, path, value) => {
        const list = [...listAt(document, path)];
        for (const each of eachOf(value)) {
            if (!list.some((known) => isEqual(known, each))) {
                list.push(each);
            }
        }
        put(document, path, list);
    },
    $pull: (document, path, value) => {
        put(document, path, listAt(document, path).filter((each) => !isPulled(each, value)));
    }
};

/** @param {any} value @param {any} wanted a value, or comparisons @returns {boolean} */
function hasValue(value, wanted) {
    if (wanted instanceof RegExp) {
        return typeof value === 'string' && wanted.test(value);
    }
    if (!isComparison(wanted)) {
        return isEqual(value, wanted) || (Array.isArray(value) && !Array.isArray(wanted) && value.some((each) => isEqual(each, wanted)));
    }
    return Object.entries(wanted).every(([name, other]) => {
        if (name === '$not') {
            return !hasValue(value, other);
        }
        if (name === '$elemMatch') {
            return Array.isArray(value) && value.some((each) => isElement(each, other));
        }
        if (name === '$all') {
            return other.every((/** @type {any} */ each) => hasValue(value, each));
        }
        if (name === '$options') {
            return true;
        }
        const compare = /** @type {any} */ (COMPARISONS)[name];
        if (compare === undefined) {
            throw unknown(name);
        }
        const isOfAny = Array.isArray(value) && !['$size', '$exists', '$ne', '$nin'].includes(name);
        const given = name === '$regex' ? new RegExp(other, wanted.$options) : other;
        return compare(value, given) || (isOfAny && value.some((each) => compare(each, given)));
    });
}

/** @param {any} each @param {any} wanted */
function isElement(each, wanted) {
    if (isComparison(wanted)) {
        return hasValue(each, wanted);
    }
    return each !== null && typeof each === 'object' && fits(each, wanted);
}

/** @param {any} each of a list @param {any} value */
function isPulled(each, value) {
    const areObjects = [each, value].every((one) => one !== null && typeof one === 'object' && !Array.isArray(one) && !(one instanceof Date));
    return areObjects && !isComparison(value) ? fits(each, value) : hasValue(each, value);
}

/** @param {any} value */
function isComparison(value) {
    const isPlain = value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date);
    return isPlain && Object.keys(value).some((name) => name.startsWith('$'));
}

/** @param {any} one @param {any} other @returns {boolean} */
export function isEqual(one, other) {
    if (one === other || ((one ?? null) === null && (other ?? null) === null)) {
        return true;
    }
    if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) {
        return false;
    }
    return JSON.stringify(packed(one)) === JSON.stringify(packed(other));
}

/** Only what is of one kind is compared. @param {any} one @param {any} other @param {(order: number) => boolean} holds */
function compared(one, other, holds) {
    const [a, b] = [one, other].map((each) => (each instanceof Date ? each.getTime() : each));
    const isDated = one instanceof Date === other instanceof Date;
    return isDated && typeof a === typeof b && (typeof a === 'number' || typeof a === 'string') && holds(ordered(a, b));
}

/**
 * What is not there comes first, then numbers, texts, objects, lists, booleans and dates.
 * @param {any} one @param {any} other
 */
export function ordered(one, other) {
    const [rank, otherRank] = [rankOf(one), rankOf(other)];
    if (rank !== otherRank) {
        return rank < otherRank ? -1 : 1;
    }
    const [a, b] = rank === 3 || rank === 4 ? [JSON.stringify(packed(one)), JSON.stringify(packed(other))] : [one, other];
    return rank === 0 || a === b ? 0 : a < b ? -1 : Number(a > b);
}

/** @param {any} value */
function rankOf(value) {
    if (value === undefined || value === null) {
        return 0;
    }
    if (value instanceof Date) {
        return 6;
    }
    if (Array.isArray(value)) {
        return 4;
    }
    return { number: 1, string: 2, object: 3, boolean: 5 }[/** @type {string} */ (typeof value)] ?? 7;
}

/** @param {any} known @param {any} value @param {number} sign */
function least(known, value, sign) {
    return known === undefined || ordered(value, known) * sign > 0 ? value : known;
}

/** @param {any} value */
function eachOf(value) {
    return Array.isArray(value?.$each) ? value.$each : [value];
}

/** @param {Document} document @param {string} path @returns {any[]} */
function listAt(document, path) {
    const found = valueAt(document, path) ?? [];
    if (!Array.isArray(found)) {
        throw new CancelError(`${path} is no list.`);
    }
    return found;
}

/** @param {Document} document @param {string} path @param {any} value */
export function put(document, path, value) {
    const parts = path.split('.');
    const last = /** @type {string} */ (parts.pop());
    let place = document;
    for (const part of parts) {
        guard(part);
        if (place[part] === null || typeof place[part] !== 'object') {
            place[part] = {};
        }
        place = place[part];
    }
    guard(last);
    place[last] = value;
}

/** @param {Document} document @param {string} path */
export function unset(document, path) {
    const parts = path.split('.');
    const last = /** @type {string} */ (parts.pop());
    const place = parts.length ? valueAt(document, parts.join('.')) : document;
    if (place !== null && typeof place === 'object') {
        delete place[last];
    }
}

/** @param {string} part */
function guard(part) {
    if (part === '__proto__' || part === 'constructor' || part === 'prototype') {
        throw new CancelError(`A document has no field ${part}.`);
    }
}

/** @param {any} value @returns {any} */
export function copied(value) {
    return unpacked(packed(value));
}

/** What is said of a word that is not known; those that run code or write elsewhere never are. @param {string} name */
export function unknown(name) {
    return new CancelError(`Collections know no ${name}.`);
}
