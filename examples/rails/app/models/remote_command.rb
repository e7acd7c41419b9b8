# A command to a station, addressed by the serial number with which the station subscribed.
class RemoteCommand
  def initialize(sn, command, **payload)
    @sn, @command, @payload = sn, command, payload
    @id = SecureRandom.uuid
  end

  # Returns the ledger entry of the station's answer ("ack" or "error"), or nil after `wait` seconds. The bridge reports
  # an error after 30 seconds without an answer, so the default is slightly longer.
  def call(wait: 35)
    OCPPChannel.broadcast_to("ev/#{@sn}", {command: @command, id: @id, payload: @payload})
    ChargingLedger.instance.wait_for(wait) { |entry| entry["id"] == @id && entry["event"].in?(%w[ack error]) }
  end
end
