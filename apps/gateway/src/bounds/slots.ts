/**
 * A set of what comes and goes thousands of times a second. Pure.
 *
 * In a Map with such traffic each table that was outgrown keeps what it held, and the table after it, alive until a full
 * collection; that was seen to cost a seventh of the gateway's time. Here nothing is moved and what left is not referred to.
 */
export interface Slots<Item> {
  size(): number;
  /** Answers the item's place, which is its own until it is removed. */
  add(item: Item): number;
  remove(slot: number): void;
  at(slot: number): Item | null;
  values(): Item[];
}

export const createSlots = <Item>(): Slots<Item> => {
  const items: (Item | null)[] = [];
  const free: number[] = [];
  return {
    size: () => items.length - free.length,
    add: (item) => {
      const slot = free.pop() ?? items.length;
      items[slot] = item;
      return slot;
    },
    remove: (slot) => {
      if ((items[slot] ?? null) === null) return;
      items[slot] = null;
      free.push(slot);
    },
    at: (slot) => items[slot] ?? null,
    values: () => items.filter((item): item is Item => item !== null),
  };
};
