namespace :ocpp do
  ask = lambda do |sn, command, **payload|
    Rails.logger.level = :warn # print only the answer
    answer = RemoteCommand.new(sn, command, **payload).call(wait: ENV.fetch("WAIT", 35).to_f)

    abort "#{sn}: no answer. Is the station connected, and do broadcasts reach the bridge?" unless answer
    abort "#{sn}: #{answer.values_at("code", "message").join(" ")}" if answer["event"] == "error"
    puts "#{sn}: #{answer["payload"].to_json}"
  rescue SystemCallError => error
    abort "#{sn}: the command was not sent. #{error.message}"
  end

  desc "Ask the station with this serial number to start charging for a tag"
  task :remote_start, [:sn, :tag] => :environment do |_, args|
    ask.(args.sn, "RemoteStartTransaction", idTag: args.tag)
  end

  desc "Ask the station with this serial number to stop a transaction"
  task :remote_stop, [:sn, :transaction_id] => :environment do |_, args|
    ask.(args.sn, "RemoteStopTransaction", transactionId: args.transaction_id.to_i)
  end
end
