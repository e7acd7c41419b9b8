# The same channel with one method for every action, for any version of OCPP. To use it, start the bridge with
# --ocpp_channel=OCPPReceiveChannel --ocpp_granular_actions=false.
class OCPPReceiveChannel < ApplicationCable::Channel
  def subscribed
    stream_from OCPPChannel.broadcasting_for("ev/#{params["sn"]}") # so that a broadcast reaches both classes
  end

  def receive(data)
    id = data["id"]

    case data["command"]
    when "StartTransaction"
      transmit_ack(id:, transactionId: book(data)["number"], idTagInfo: id_tag_info(data))
    when "StopTransaction", "MeterValues", "TransactionEvent"
      book(data)
      transmit_ack(id:)
    when "Authorize"
      record(data)
      transmit_ack(id:, idTagInfo: id_tag_info(data)) if data["payload"].key?("idTag") # OCPP 2.x needs a different answer
    else
      record(data) # BootNotification and others, which the bridge answers; the station's Ack and Error to commands
    end
  end
end
