import { openGrpcJs } from '../../../src/rpc/grpc-js/channel.ts'
import { testGrpcClient } from '../grpc/suite.ts'

testGrpcClient('grpc-js', openGrpcJs, /Waiting for LB pick/)
