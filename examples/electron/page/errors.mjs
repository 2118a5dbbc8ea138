// What went wrong, and what helps: by the code of the error.

/** @type {Record<string, [title: string, cure: string]>} */
const known = {
  ERR_NEOX_FILE_NOT_FOUND: [
    'モデルのファイルが見つかりません。',
    'ファイルが移動または削除されていないか確かめて、もう一度追加してください。',
  ],
  ERR_NEOX_IO: ['ファイルを読めませんでした。', 'ディスクの接続と、ファイルを読む権限を確かめてください。'],
  ERR_NEOX_UNSUPPORTED: ['このモデルには対応していません。', 'GPT-NeoX 系の会話用モデルを選んでください。'],
  ERR_NEOX_NO_TOKENIZER: [
    'モデルに語彙（トークナイザー）が入っていません。',
    '語彙を含む GGUF ファイルに変換し直してください（neox convert）。',
  ],
  ERR_NEOX_OUT_OF_MEMORY: [
    'メモリが足りません。',
    'ほかのアプリを閉じるか、より小さく量子化されたモデルを選んでください。',
  ],
  ERR_NEOX_CONTEXT_FULL: [
    '会話が長くなり、モデルの文脈に収まりません。',
    '新しい会話を始めるか、メッセージを短くしてください。',
  ],
  ERR_NEOX_KV_FULL: [
    '会話のためのメモリがいっぱいです。',
    'ほかのウィンドウの生成が終わるのを待って、もう一度送ってください。',
  ],
  ERR_NEOX_BUSY: ['前の生成がまだ終わっていません。', '少し待って、もう一度送ってください。'],
  ERR_NEOX_ADDON: [
    'エンジンを読み込めませんでした。',
    'アプリを入れ直してください。配布する側では .node ファイルを asar の外に置く必要があります。',
  ],
  ERR_NEOX_DISPOSED: ['エンジンとの接続が切れました。', 'エンジンを再起動して、もう一度送ってください。'],
  ERR_NEOX_NAN: [
    'モデルの計算結果が数値になりませんでした。',
    'ファイルが壊れているおそれがあります。モデルを入手し直してください。',
  ],
};
/** @type {[title: string, cure: string]} */
const malformed = [
  'モデルのファイルを読み取れません。',
  '途中で切れたか、別の形式のファイルです。もう一度入手するか、別のファイルを選んでください。',
];
/** @type {[title: string, cure: string]} */
const other = [
  '思いがけないエラーが起きました。',
  'もう一度試してください。続くときは詳細を添えて知らせてください。',
];

/**
 * @param {unknown} error
 * @returns {{ title: string, cure: string, detail: string }}
 */
export function explain(error) {
  const { code = '', message = String(error) } = /** @type {{ code?: string, message?: string }} */ (error);
  const [title, cure] = known[code] ?? (code.startsWith('ERR_NEOX_FORMAT_') ? malformed : other);
  return { title, cure, detail: code === '' ? message : `${code}: ${message}` };
}
