# The same with one method for everything, in any version of OCPP. The bridge runs it with
# --ocpp_channel=OCPPReceiveChannel --ocpp_granular_actions=false.
class OCPPReceiveChannel < ApplicationCable::Channel
  def subscribed
    stream_from OCPPChannel.broadcasting_for("ev/#{params["sn"]}") # so that one broadcast reaches either class
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
      transmit_ack(id:, idTagInfo: id_tag_info(data)) if data["payload"].key?("idTag") # OCPP 2.x has another answer
    else
      record(data) # BootNotification and the like, which the bridge answers, and the station's own Ack and Error
    end
  end
end
