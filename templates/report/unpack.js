// Undoes bundler/report/page/pack.py.

export function unpack(data) {
  const strings = data.strings;
  for (const entry of data.entries) {
    for (const variant of entry.variants) {
      const columns = variant.tensors;
      variant.tensors = columns.bytes.map((bytes, index) => ({
        name: strings[columns.name[index]],
        op: strings[columns.op[index]],
        dtype: strings[columns.dtype[index]],
        chunk: strings[columns.chunk[index]],
        layer: strings[columns.layer[index]].split("\x1f"),
        shape: strings[columns.shape[index]],
        bytes,
      }));
    }
  }
  return data;
}
