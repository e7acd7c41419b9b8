import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faultOf, StoreError } from '../../src/store/errors.ts'

const rows = [
  [{ errcode: 13 }, 'full', 'SQLITE_FULL'],
  [{ errcode: 4874 }, 'full', 'SQLITE_IOERR_SHMSIZE'],
  [{ code: 'ENOSPC' }, 'full', 'the directory cannot be made'],
  [{ errcode: 8 }, 'readonly', 'SQLITE_READONLY'],
  [{ errcode: 1032 }, 'readonly', 'SQLITE_READONLY_DBMOVED, an extended code'],
  [{ errcode: 14 }, 'readonly', 'SQLITE_CANTOPEN'],
  [{ code: 'EROFS' }, 'readonly', 'a file system that is mounted read-only'],
  [{ code: 'ENOTDIR' }, 'readonly', 'a file is where the directory should be'],
  [{ errcode: 11 }, 'corrupt', 'SQLITE_CORRUPT'],
  [{ errcode: 26 }, 'corrupt', 'SQLITE_NOTADB'],
  [{ errcode: 5 }, 'locked', 'SQLITE_BUSY'],
  [{ errcode: 778 }, 'io', 'SQLITE_IOERR_WRITE'],
  [{ code: 'EIO' }, 'io', 'the device fails'],
  [new Error('out of memory'), 'io', 'neither of SQLite nor of the file system'],
  [new StoreError('newer', '/var/lib/x'), 'newer', 'an error of the store itself'],
] as const
for (const [error, fault, because] of rows) {
  test(`an error is ${fault}: ${because}`, () => {
    assert.equal(faultOf(error), fault)
  })
}

test('a StoreError names the directory and says what to do', () => {
  const { message } = new StoreError('full', '/var/lib/x')
  assert.equal(message, 'state_dir /var/lib/x: there is no space left for it: free some')
})
