import { findKnownFile, warningOf } from '../../lib/known-files.js';

test('the current file of the bilingual SFT model is known, and nothing is held against it', () => {
  const md5 = 'de72aa5b66beee7b65783c96f687d186';
  expect(findKnownFile(md5)).toMatchObject({ file: 'pytorch_model.bin', isCurrent: true });
  expect(warningOf('pytorch_model.bin', md5)).toBeUndefined();
});

test('the earlier one brings the reason', () => {
  expect(warningOf('pytorch_model.bin', 'edf190a323c0ae63f71476700fb0b462')).toMatch(
    /pytorch_model\.bin .*commercial use .*refrain/,
  );
});

test('a sum that no card names is nothing', () => {
  expect(findKnownFile('0'.repeat(32))).toBeUndefined();
  expect(warningOf('x.bin', '0'.repeat(32))).toBeUndefined();
});
