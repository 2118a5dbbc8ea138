// A row of docs/parity.md.

export interface Row {
  feature: string;
  /** `identical`: ids, strings or kept sets; `within`: numbers, up to rounding. */
  standing: 'identical' | 'within 1e-4' | 'different' | 'more' | 'absent';
  /** What is compared; where it is not the same, why. */
  text: string;
  /** File below test/, and a title in it. A row about an absence has none. */
  shown?: readonly [file: string, title: string];
}

export interface Section {
  title: string;
  rows: readonly Row[];
}

export const row = (
  feature: string,
  standing: Row['standing'],
  text: string,
  shown?: readonly [string, string],
): Row => ({ feature, standing, text, ...(shown ? { shown } : {}) });
