/** A reproducible sequence (xorshift32): each call gives a whole number from 0 up to, and without, `below`. */
export const random = (seed: number) => {
  let x = seed;
  return (below: number): number => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
};
