// Weight files whose MD5 a model card names, and what it says of them.

export interface KnownFile {
  md5: string;
  /** Repository and file. */
  repo: string;
  file: string;
  /** Whether the card's authors still offer the file. */
  isCurrent: boolean;
  note: string;
}

const BILINGUAL_SFT = 'rinna/bilingual-gpt-neox-4b-instruction-sft';

// From the card of the bilingual SFT model.
const KNOWN: readonly KnownFile[] = [
  {
    md5: 'de72aa5b66beee7b65783c96f687d186',
    repo: BILINGUAL_SFT,
    file: 'pytorch_model.bin',
    isCurrent: true,
    note: 'the file that its model card offers since 2023-08-02',
  },
  {
    md5: 'edf190a323c0ae63f71476700fb0b462',
    repo: BILINGUAL_SFT,
    file: 'pytorch_model.bin',
    isCurrent: false,
    note: 'an earlier file, whose commercial use the authors ask to refrain from; pull the current one',
  },
];

/** The entry of a file with this MD5, if a model card names it. */
export function findKnownFile(md5: string): KnownFile | undefined {
  return KNOWN.find((known) => known.md5 === md5);
}

/** What to warn of, or undefined for a file that nothing is known against. */
export function warningOf(path: string, md5: string): string | undefined {
  const known = findKnownFile(md5);
  if (!known || known.isCurrent) return undefined;
  return `${path} is ${known.note} (${known.repo}, MD5 ${md5}).`;
}
