import { openGrpc } from '../../../src/rpc/grpc/channel.ts'
import { testGrpcClient } from './suite.ts'

testGrpcClient('grpc', openGrpc, /no connection in time/)
