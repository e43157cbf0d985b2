// Uploads a file with tus-js-client, as the JSON in the first argument says, and prints what
// happens as lines of JSON. tests/clients/tus.rs runs it.
//
//   file                where the bytes are
//   options             of tus.Upload
//   stream              give it a stream, whose length is not known
//   abort_at            abort after so many bytes
//   terminate           and give the upload up

import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import * as tus from 'tus-js-client'

const { file, options, stream, abort_at: abortAt, terminate } = JSON.parse(process.argv[2])

const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const source = createReadStream(file)
let stopped = false

const upload = new tus.Upload(stream ? Readable.from(source) : source, {
  ...options,
  storeFingerprintForResuming: false,
  onUploadUrlAvailable: () => tell({ url: upload.url }),
  onProgress(sent) {
    tell({ sent })
    if (abortAt && sent >= abortAt && !stopped) {
      stopped = true
      upload.abort(terminate).then(() => {
        tell({ aborted: sent })
        process.exit()
      })
    }
  },
  onShouldRetry() {
    tell({ retries: true })
    return true
  },
  onError(error) {
    tell({ failed: String(error) })
    process.exit(1)
  },
  onSuccess: () => tell({ url: upload.url, done: true }),
})
upload.start()
