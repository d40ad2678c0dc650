/** All that comes in portions, as one list. */
export async function collected<T>(portions: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const portion of portions) for (const one of portion) all.push(one);
  return all;
}
