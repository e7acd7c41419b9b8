/**
 * The lower bound: a bare `ws` server that echoes every message.
 */
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { announce } from './children.ts'

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
server.on('connection', socket => {
  socket.on('message', data => socket.send(data, { binary: false }))
})
server.once('listening', () => announce((server.address() as AddressInfo).port))
